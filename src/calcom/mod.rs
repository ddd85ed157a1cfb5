//! All that speaks to Cal.com: the port that the pass uses, and the two dialects behind it.

pub mod port;
