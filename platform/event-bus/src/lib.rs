//! The event bus as a port: topic, partitions, groups, committed offsets, dead letters.
