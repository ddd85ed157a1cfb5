//! Commands as operators type them: arguments, one file per command, and rendering.
