//! The program as its users meet it: what it writes, what it says, how it ends.

mod advice;
mod bench;
mod checkpoint;
mod colors;
mod compare;
mod flow;
mod gallery;
#[path = "../../../weights/tests/hub/mod.rs"]
mod hub;
mod inspect;
mod interrupt;
mod keyframes;
mod lists;
mod made;
mod manual;
mod metrics;
mod models;
mod networks;
mod plan;
mod problems;
mod progress;
mod recipe;
mod regions;
mod safety;
mod shard;
mod studio;
mod stylize;
mod train;
mod video;
mod workers;
mod workshop;
