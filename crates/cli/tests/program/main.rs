//! The program as its users meet it: what it writes, what it says, how it ends.

mod bench;
mod inspect;
mod interrupt;
mod lists;
mod problems;
mod progress;
mod stylize;
mod workshop;
