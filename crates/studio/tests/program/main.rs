//! The studio as browsers, programs and attackers see it: exact requests over sockets, and their answers.

mod attacks;
mod films;
mod jobs;
mod open;
mod uploads;
