//! Talkers and microphones that move.
//!
//! Direct sound and early reflections follow the movement with an exact delay, so that Doppler shift and the phases
//! between microphones are right. The rest of a response is given at nodes along the path and crossfaded.

mod early;
mod path;
mod transfer;

pub use early::EarlyPath;
pub use path::{Facing, Path, WayPoint};
pub use transfer::{LateNode, Motion, MovingTransfer};

/// Why something cannot move as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MotionError {
    /// No place to be.
    #[error("a path needs at least one way point")]
    NoWayPoint,
    /// A speed that is none, or one beyond what the model holds for.
    #[error("the speed is {0} m/s; it must lie above 0 and below 40 m/s")]
    Speed(f64),
    /// A pause that is none.
    #[error("a pause is {0} s; it must lie between 0 and 3 600 s")]
    Pause(f64),
    /// A place that is none.
    #[error("way point {0} has a coordinate that is not finite")]
    Place(usize),
    /// No microphone.
    #[error("a moving transfer needs at least one microphone")]
    NoMicrophone,
    /// A speed of sound or sample rate that is none.
    #[error("the sample rate or the speed of sound is not above 0")]
    Rate,
    /// Source and microphone at one place.
    #[error("on its way the source comes within 5 cm of microphone {0}; lead the path around it")]
    TooClose(usize),
    /// Nodes out of order.
    #[error("node {0} lies before the one ahead of it; sort the nodes along the path")]
    NodeOrder(usize),
    /// A node without one response for each microphone.
    #[error("node {node} has {actual} responses for {expected} microphones; give one each")]
    NodeResponses {
        /// Which node.
        node: usize,
        /// Microphones.
        expected: usize,
        /// Responses.
        actual: usize,
    },
    /// A response at another rate.
    #[error("node {node} has a response at {actual} Hz, the transfer {expected} Hz; resample it first")]
    NodeRate {
        /// Which node.
        node: usize,
        /// The transfer's rate.
        expected: u32,
        /// The response's rate.
        actual: u32,
    },
    /// Shares of an early path that do not fit the nodes.
    #[error("early path {path} has {actual} shares for {expected} nodes; give one each, or none")]
    Shares {
        /// Which early path.
        path: usize,
        /// Nodes.
        expected: usize,
        /// Shares.
        actual: usize,
    },
}
