//! Rules held to what is promised: tables of good and bad ones, limits, and the reference.
