//! Exchanges with real servers, put to what judges answers.
