//! Rows that were made on the way forward, and are made once more for a gradient.

use super::backward::Back;
use super::first_rows;
use super::rows::Rows;
use crate::Result;
use crate::cpu::results::Bits;
use crate::cpu::shared::Shared;
use std::ops::Range;

impl Back<'_, '_, '_, '_> {
    /// Makes rows of the first map once more where their gradient will lie, and their bits if they were not kept.
    pub(super) fn first_again(&mut self, rows: &Range<usize>) -> Result<Option<Rows<u16>>> {
        let (network, held) = (self.sweep.network, &self.sweep.stages[0]);
        let here = &mut self.towards[0];
        let mut fresh = None;
        if !held.keeps.bits && held.per_pixel() > 0 {
            let shape = (held.blocks(), held.per_pixel());
            let mut bits = Rows::new(&network.context, shape, held.stage.size, rows.len())?;
            bits.strip.first = rows.start;
            bits.strip.rows = rows.len();
            fresh = Some(bits);
        }
        if fresh.is_some() || here.matrix.is_some() {
            let bits = fresh.as_mut().map(|rows| Bits {
                words: Shared::new(&mut rows.buffer),
                strip: rows.strip,
            });
            let (source, size) = (&self.sweep.source, self.sweep.size);
            let out = here.map_mut();
            let relu = held.per_pixel() > 0;
            first_rows(network, source, size, out, relu, bits, rows.clone())?;
        }
        Ok(fresh)
    }

    /// Makes rows of a map, or of its bits, once more if they were not kept.
    pub(super) fn again(&mut self, index: usize, rows: usize, needs: Needs) -> Result<()> {
        let held = &self.sweep.stages[index];
        let kept = match needs {
            Needs::Map => held.keeps.map,
            Needs::Bits => held.keeps.bits || held.per_pixel() == 0,
        };
        if kept {
            return Ok(());
        }
        // Up to where every gradient has come: what lies above is not read again.
        for index in 0..self.sweep.stages.len() {
            let here = self.towards[index].computed;
            let before = index
                .checked_sub(1)
                .map_or(here, |before| self.towards[before].computed);
            let (looks, at_once) = (self.looks(index), self.at_once(index));
            let held = &mut self.sweep.stages[index];
            held.map_needed = match here >= held.rows() {
                true => usize::MAX,
                false => here,
            };
            held.bits_needed = here.min(held.stage.made(before).saturating_sub(1));
            if !looks || at_once {
                held.map_needed = usize::MAX;
            }
            if at_once {
                held.bits_needed = usize::MAX;
            }
        }
        self.sweep.advance(index, rows, &mut [])
    }
}

/// What is needed of a stage.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Map,
    Bits,
}
