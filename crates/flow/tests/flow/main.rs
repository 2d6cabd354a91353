//! Flow, what is made of it and what measures it, on made-up scenes and on frames whose flow is known.

mod cuts;
mod estimate;
mod files;
mod masks;
mod measures;
mod scenes;
mod truth;
mod warps;
