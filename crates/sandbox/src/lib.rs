//! Run one untrusted model process: isolation, limits, the runner protocol, timing.
