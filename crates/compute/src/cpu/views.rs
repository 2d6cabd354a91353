//! What the taps behind a node see: its features, its moments, and those of heads.

use super::array::{Layout, put, put_blocked};
use super::mixing::{Matrix, Operand, Pixels};
use super::network::CpuNetwork;
use super::node::{Map, Node};
use super::simd::LANES;
use super::sweep::Shown;
use super::tape::CpuTape;
use super::{heads, window};
use crate::{Head, Moments, Result, Tap, Tensor};

/// What was asked of one tap.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) tap: Tap,
    /// Index of the stage behind which it sits.
    pub(super) node: usize,
    pub(super) features: Features,
    pub(super) moments: Option<Moments>,
    /// Whether a gradient towards moments may come that were not computed.
    pub(super) replay: bool,
}

/// Where the features of a tap are.
#[derive(Debug)]
pub(super) enum Features {
    /// Not asked for.
    Unasked,
    /// They are the map of the node.
    OfNode,
    /// They are a tensor of their own.
    Own(Tensor),
    /// Nobody wants to see them any more.
    Released,
}

impl CpuNetwork {
    /// Computes what the taps behind the last node of a tape asked for; `known` is what was seen of it already.
    pub(super) fn look(&self, tape: &mut CpuTape<'_>, known: Option<Shown>) -> Result<()> {
        let Some(index) = tape.nodes.len().checked_sub(1) else {
            return Ok(());
        };
        let window = tape.window_at(index);
        let requests = &tape.plan.stages[index].wanted;
        let (node, seen) = (&mut tape.nodes[index], &mut tape.seen);
        let wanted = requests.iter().any(|request| request.moments);
        let (known, shown) = match known {
            Some(shown) => (shown.moments, Some(shown.features)),
            None => (None, None),
        };
        let mut shown = shown.map(Vec::into_iter);
        let mut trunk = match known {
            None if wanted => Some(window::moments(
                &self.context,
                node.lanes()?,
                node.channels,
                node.size,
                &window,
            )?),
            ready => ready,
        };
        for request in requests {
            let head = match request.tap {
                Tap::Layer(_) => None,
                Tap::Head(head) => Some(&self.spec.heads[head]),
            };
            let moments = match (&trunk, head) {
                (Some(trunk), Some(head)) if request.moments => {
                    Some(heads::forward(&self.context, head, trunk)?)
                }
                _ => None,
            };
            let features = match head {
                _ if let Some(shown) = &mut shown => match shown.next().flatten() {
                    Some(tensor) => Features::Own(tensor),
                    None => Features::Unasked,
                },
                _ if !request.features => Features::Unasked,
                None => self.show(node)?,
                Some(head) => Features::Own(self.head_features(node, head)?),
            };
            seen.push(Seen {
                tap: request.tap,
                node: index,
                features,
                moments,
                replay: request.replay,
            });
        }
        // The trunk's own moments go to its own tap, when the heads have read them.
        let own = |seen: &&mut Seen| seen.node == index && matches!(seen.tap, Tap::Layer(_));
        let asked = requests
            .iter()
            .any(|request| request.moments && matches!(request.tap, Tap::Layer(_)));
        if let (true, Some(seen)) = (asked, seen.iter_mut().find(own)) {
            seen.moments = trunk.take();
        }
        Ok(())
    }

    /// Makes a tensor of a node's map.
    fn show(&self, node: &mut Node) -> Result<Features> {
        let shape = node.shape(node.channels);
        match Layout::of(&shape) {
            Layout::Blocked { .. } => {
                if let Map::Kept(buffer) = &mut node.map {
                    node.map = Map::Shown(put(buffer.take(), &shape));
                }
                Ok(Features::OfNode)
            }
            Layout::Plain { .. } => {
                let mut copy = self.context.pool.take(node.len() * LANES)?;
                copy.copy_from_slice(node.lanes()?.as_flattened());
                Ok(Features::Own(put_blocked(&self.context, copy, shape)?))
            }
        }
    }

    fn head_features(&self, node: &Node, head: &Head) -> Result<Tensor> {
        let shape = node.shape(head.out_channels);
        let mut out = self
            .context
            .pool
            .take(head.out_channels.div_ceil(LANES) * node.pixels() * LANES)?;
        let matrix = Matrix::of_head(head, node.channels);
        let operand = Operand::Into {
            x: node.lanes()?,
            out: out.lanes_mut(),
        };
        matrix.apply(&self.context, Pixels::all(node.pixels()), operand)?;
        put_blocked(&self.context, out, shape)
    }
}
