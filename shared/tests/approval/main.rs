//! Approval by a user who is away: workers, replicas, a server that keeps to CIBA and can be broken, and a clock that is told.

mod cases;
mod laws;
mod mcp;
mod world;
