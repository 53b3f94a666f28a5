//! The contract of every storage, and a model that each is compared with.

pub(super) mod contract;
mod model;
