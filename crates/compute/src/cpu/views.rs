//! What the taps behind a node see: its features, its moments, and those of heads.

use super::array::{Layout, put};
use super::mixing::{Matrix, Operand, Pixels};
use super::network::{CpuNetwork, Map, Node};
use super::simd::{LANES, Lanes};
use super::{heads, moments};
use crate::{Head, Moments, Result, Tap, TapRequest, Tensor};

/// What was asked of one tap.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) tap: Tap,
    /// Index of the stage behind which it sits.
    pub(super) node: usize,
    pub(super) features: Features,
    pub(super) moments: Option<Moments>,
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
}

impl CpuNetwork {
    /// Computes what the taps behind a node asked for; `known` are its moments, if they are.
    pub(super) fn look(
        &self,
        node: &mut Node,
        index: usize,
        requests: &[TapRequest],
        known: Option<Moments>,
        seen: &mut Vec<Seen>,
    ) -> Result<()> {
        let wanted = requests.iter().any(|request| request.moments);
        let mut trunk = match known {
            None if wanted => Some(moments::forward(
                &self.context,
                node.lanes()?,
                node.channels,
                node.pixels(),
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
                _ if !request.features => Features::Unasked,
                None => self.show(node)?,
                Some(head) => Features::Own(self.head_features(node, head)?),
            };
            seen.push(Seen {
                tap: request.tap,
                node: index,
                features,
                moments,
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
        let shape = [node.channels, node.h, node.w];
        match Layout::of(&shape) {
            Layout::Blocked { .. } => {
                if let Map::Kept(buffer) = &mut node.map {
                    node.map = Map::Shown(put(buffer.take(), &shape));
                }
                Ok(Features::OfNode)
            }
            Layout::Plain { .. } => Ok(Features::Own(self.plain(node.lanes()?, &shape)?)),
        }
    }

    /// A row-major tensor from a map of few channels.
    fn plain(&self, map: &[Lanes], shape: &[usize; 3]) -> Result<Tensor> {
        let [channels, h, w] = *shape;
        let mut buffer = self.context.pool.take(channels * h * w)?;
        let blocked = Layout::Blocked {
            channels,
            pixels: h * w,
        };
        blocked.unpack(map.as_flattened(), &mut buffer);
        Ok(put(buffer, shape))
    }

    fn head_features(&self, node: &Node, head: &Head) -> Result<Tensor> {
        let shape = [head.out_channels, node.h, node.w];
        let mut out = self
            .context
            .pool
            .take(head.out_channels.div_ceil(LANES) * node.pixels() * LANES)?;
        let matrix = Matrix::new(
            (head.out_channels, node.channels),
            |out, k| head.weight[out * node.channels + k],
            |out| head.bias[out],
        );
        let operand = Operand::Into {
            x: node.lanes()?,
            out: out.lanes_mut(),
        };
        matrix.apply(&self.context, Pixels::all(node.pixels()), operand)?;
        match Layout::of(&shape) {
            Layout::Blocked { .. } => Ok(put(out, &shape)),
            Layout::Plain { .. } => self.plain(out.lanes(), &shape),
        }
    }
}
