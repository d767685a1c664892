//! SQLite with group commit, migrations, and the embedded event bus.
