//! Load, and ratios against baselines of the same run.
