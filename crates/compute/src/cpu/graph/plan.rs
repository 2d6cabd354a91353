//! What is run of a graph: stages, into which what saves passes over memory was fused.
//!
//! * What is done number by number (norms, scales, functions) is done while the next stage reads, as its [`View`] says, or
//!   behind a convolution before it writes.
//! * A sum behind a convolution is added before it writes.
//! * The sums that moments need are taken while a convolution writes.
//! * Maps that are doubled for a convolution are never written.

use super::convolution::Prepared;
use super::stage::{Id, Making, Scales, Stage, View, Work};
use crate::cpu::array::Layout;
use crate::graph::{
    Activation, Affine, Convolution, GraphSpec, InstanceNorm, Kind, Node, Op, Upsampling, Value,
    Variance,
};

/// The stages of a graph, in their order.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) stages: Vec<Stage>,
    pub(super) convolutions: Vec<Prepared>,
    /// By convolution: its node.
    nodes: Vec<usize>,
    pub(super) inputs: usize,
    pub(super) outputs: Vec<Id>,
    /// By value: how it is read once all is made, as far as it is a map that is there.
    pub(super) views: Vec<Option<View>>,
}

impl Plan {
    /// Of a graph that is valid; `winograd` if convolutions may be computed so.
    pub(super) fn new(spec: &GraphSpec, winograd: bool) -> Self {
        Self::with(spec, winograd, Vec::new())
    }

    /// Of the same graph with other numbers in some nodes; filters of others are not laid out again.
    pub(super) fn renew(&mut self, spec: &GraphSpec, winograd: bool, changed: &[bool]) {
        let mut known: Vec<Option<Prepared>> = spec.nodes.iter().map(|_| None).collect();
        let prepared = self.convolutions.drain(..).zip(&self.nodes);
        for (prepared, &node) in prepared.filter(|(_, node)| !changed[**node]) {
            known[node] = Some(prepared);
        }
        *self = Self::with(spec, winograd, known);
    }

    /// With the convolutions of some nodes.
    fn with(spec: &GraphSpec, winograd: bool, known: Vec<Option<Prepared>>) -> Self {
        let mut planner = Planner::new(spec, winograd, known);
        for (index, node) in spec.nodes.iter().enumerate() {
            if !planner.absorbed[index] {
                planner.node(index, node);
            }
        }
        let outputs: Vec<_> = spec
            .outputs
            .iter()
            .map(|&value| planner.id(value))
            .collect();
        for &output in &outputs {
            if let Kind::Map(_) = planner.kinds[output] {
                planner.plain(output);
            }
        }
        Self {
            stages: planner.stages,
            convolutions: planner.convolutions,
            nodes: planner.nodes,
            inputs: spec.inputs.len(),
            outputs,
            views: planner.views,
        }
    }
}

/// A plan in the making.
struct Planner<'a> {
    spec: &'a GraphSpec,
    winograd: bool,
    kinds: Vec<Kind>,
    /// By value: the nodes that read it, and whether it is handed out.
    readers: Vec<Vec<usize>>,
    handed_out: Vec<bool>,
    /// By value, as far as maps are there.
    views: Vec<Option<View>>,
    /// By value: the convolution stage that makes it as it is, and whether its sums are taken.
    maker: Vec<Option<usize>>,
    summed: Vec<bool>,
    /// By node: whether it is part of an earlier stage.
    absorbed: Vec<bool>,
    stages: Vec<Stage>,
    convolutions: Vec<Prepared>,
    /// By convolution: its node.
    nodes: Vec<usize>,
    /// By node: its convolution, if it is prepared already.
    known: Vec<Option<Prepared>>,
}

impl<'a> Planner<'a> {
    fn new(spec: &'a GraphSpec, winograd: bool, known: Vec<Option<Prepared>>) -> Self {
        let inputs = spec.inputs.len();
        let all = inputs + spec.nodes.len();
        let mut kinds: Vec<_> = spec.inputs.iter().map(|port| port.kind).collect();
        let id = |value: Value| value.id(inputs);
        let mut readers = vec![Vec::new(); all];
        for (index, node) in spec.nodes.iter().enumerate() {
            let reads: Vec<_> = node.reads.iter().map(|&value| kinds[id(value)]).collect();
            // A valid graph has a kind for every value.
            kinds.push(node.op.kind(&reads).unwrap_or(Kind::Vector(0)));
            for &value in &node.reads {
                readers[id(value)].push(index);
            }
        }
        let mut handed_out = vec![false; all];
        for &output in &spec.outputs {
            handed_out[id(output)] = true;
        }
        let view = |(id, kind): (usize, &Kind)| {
            (id < inputs && matches!(kind, Kind::Map(_))).then(|| View::plain(id))
        };
        let packed = |&id: &Id| match kinds[id] {
            // Of any size.
            Kind::Map(channels) => matches!(Layout::of(&[channels, 1, 1]), Layout::Blocked { .. }),
            Kind::Vector(_) => false,
        };
        let unpack = |to| Stage {
            work: Work::Unpack,
            to,
        };
        Self {
            views: kinds.iter().enumerate().map(view).collect(),
            stages: (0..inputs).filter(packed).map(unpack).collect(),
            spec,
            winograd,
            kinds,
            readers,
            handed_out,
            maker: vec![None; all],
            summed: vec![false; all],
            absorbed: vec![false; spec.nodes.len()],
            convolutions: Vec::new(),
            nodes: Vec::new(),
            known,
        }
    }

    fn id(&self, value: Value) -> Id {
        value.id(self.spec.inputs.len())
    }

    fn push(&mut self, to: Id, work: Work) {
        self.stages.push(Stage { work, to });
    }

    /// A map as it may be read, but not doubled.
    fn single(&mut self, id: Id) -> View {
        match &self.views[id] {
            Some(view) if !view.doubled => view.clone(),
            _ => self.plain(id),
        }
    }

    /// A map as it is in memory, which is made if need be.
    fn plain(&mut self, id: Id) -> View {
        let plain = View::plain(id);
        let view = self.views[id].replace(plain.clone());
        if let Some(view) = view.filter(|view| !view.is_plain() || view.base != id) {
            let making = match view.doubled {
                true => Making::Upsample(Upsampling::Nearest),
                false => Making::Copy,
            };
            let view = View {
                doubled: false,
                ..view
            };
            self.map(id, making, vec![view], None, None);
        }
        plain
    }

    /// Adds a stage that makes a map.
    fn map(
        &mut self,
        to: Id,
        making: Making,
        views: Vec<View>,
        vector: Option<Id>,
        activation: Option<Activation>,
    ) {
        self.views[to] = Some(View::plain(to));
        let work = Work::Map {
            making,
            views,
            vector,
            activation,
        };
        self.push(to, work);
    }

    /// Makes sure that the sums for the moments of a map are taken.
    fn moments(&mut self, id: Id) {
        if self.summed[id] {
            return;
        }
        self.summed[id] = true;
        let of_convolution = self.maker[id].and_then(|stage| self.stages.get_mut(stage));
        if let Some(Work::Convolve { moments, .. }) = of_convolution.map(|stage| &mut stage.work) {
            *moments = true;
            return;
        }
        let view = self.single(id);
        self.push(id, Work::Sum(view));
    }

    /// The only node that reads a value that is not handed out.
    fn only_reader(&self, id: Id) -> Option<(usize, &'a Node)> {
        match self.readers[id][..] {
            [index] if !self.handed_out[id] => Some((index, &self.spec.nodes[index])),
            _ => None,
        }
    }

    /// The function that follows a value and nothing else does, and the value behind it.
    fn followed(&mut self, id: Id) -> (Option<Activation>, Id) {
        if let Some((index, node)) = self.only_reader(id)
            && let Op::Activation(activation) = node.op
        {
            self.absorbed[index] = true;
            return (Some(activation), self.id(Value::Node(index)));
        }
        (None, id)
    }

    /// The map that is added to a value and to nothing else, if it is there already, and the value behind the sum.
    fn added(&mut self, id: Id) -> (Option<View>, Id) {
        if let Some((index, node)) = self.only_reader(id)
            && let Op::Add = node.op
        {
            let mut others = node.reads.iter().map(|&value| self.id(value));
            let other = others.find(|&other| other != id);
            if let Some(other) = other.filter(|&other| self.views[other].is_some()) {
                self.absorbed[index] = true;
                return (Some(self.single(other)), self.id(Value::Node(index)));
            }
        }
        (None, id)
    }

    /// Adds a convolution, and what follows it.
    fn convolve(&mut self, id: Id, view: View, convolution: Prepared) {
        self.convolutions.push(convolution);
        self.nodes.push(id - self.spec.inputs.len());
        let (add, to) = self.added(id);
        let (activation, to) = self.followed(to);
        let work = Work::Convolve {
            view,
            convolution: self.convolutions.len() - 1,
            add,
            activation,
            moments: false,
        };
        self.push(to, work);
        self.views[to] = Some(View::plain(to));
        self.maker[to] = Some(self.stages.len() - 1);
    }

    fn convolution(&mut self, id: Id, from: Id, op: &Convolution) {
        let view = self.views[from].clone();
        let view = view.unwrap_or_else(|| View::plain(from));
        let prepared = match self.known(id) {
            Some(prepared) => prepared,
            None => Prepared::new(op, view.doubled, self.winograd),
        };
        self.convolve(id, view, prepared);
    }

    /// The convolution of a node that is prepared already.
    fn known(&mut self, id: Id) -> Option<Prepared> {
        self.known.get_mut(id - self.spec.inputs.len())?.take()
    }

    /// Whether a value is read by convolutions alone.
    fn convolved(&self, id: Id) -> bool {
        let convolves = |&index: &usize| matches!(self.spec.nodes[index].op, Op::Convolution(_));
        !self.handed_out[id] && self.readers[id].iter().all(convolves)
    }

    /// Adds what a node does.
    fn node(&mut self, index: usize, node: &'a Node) {
        let id = self.id(Value::Node(index));
        let reads: Vec<_> = node.reads.iter().map(|&value| self.id(value)).collect();
        let from = reads[0];
        if let Kind::Vector(_) = self.kinds[from] {
            let op = node.op.clone();
            return self.push(id, Work::Vector { op, reads });
        }
        match &node.op {
            Op::Convolution(op) => self.convolution(id, from, op),
            Op::TransposedConvolution(op) => {
                let view = self.single(from);
                let prepared = self.known(id);
                let prepared = prepared.unwrap_or_else(|| Prepared::transposed(op));
                self.convolve(id, view, prepared);
            }
            Op::Upsample(kind) => {
                let view = self.single(from);
                if *kind == Upsampling::Nearest && self.convolved(id) {
                    let doubled = true;
                    self.views[id] = Some(View { doubled, ..view });
                } else {
                    self.map(id, Making::Upsample(*kind), vec![view], None, None);
                }
            }
            Op::Pool(op) => self.alone(id, from, Making::Pool(*op)),
            Op::Pad { amount, padding } => self.alone(id, from, Making::Pad(*amount, *padding)),
            Op::Crop { amount } => self.alone(id, from, Making::Crop(*amount)),
            Op::InstanceNorm(op) => self.norm(id, &reads, op),
            Op::ChannelMean => self.moment(id, from, None),
            Op::ChannelDeviation { epsilon, variance } => {
                self.moment(id, from, Some((*epsilon, *variance)));
            }
            Op::Scale(scaling) => {
                let view = self.bare(from);
                let scales = Scales::Fixed(scaling.clone());
                self.views[id] = Some(View { scales, ..view });
            }
            Op::Activation(activation) => {
                let view = match &self.views[from] {
                    Some(view) if view.activation.is_none() => view.clone(),
                    _ => self.plain(from),
                };
                let activation = Some(*activation);
                self.views[id] = Some(View { activation, ..view });
            }
            Op::Add => self.together(id, &reads, Making::Add),
            Op::Multiply => self.together(id, &reads, Making::Multiply),
            Op::Mix => self.together(id, &reads, Making::Mix),
            Op::Concat => self.together(id, &reads, Making::Concat),
            // Of vectors, which were dealt with.
            Op::Linear(_) => {}
        }
    }

    /// A map to which nothing is done while it is read, but that it may be doubled.
    fn bare(&mut self, id: Id) -> View {
        match &self.views[id] {
            Some(view) if matches!(view.scales, Scales::None) && view.activation.is_none() => {
                view.clone()
            }
            _ => self.plain(id),
        }
    }

    fn alone(&mut self, id: Id, from: Id, making: Making) {
        let view = self.single(from);
        self.map(id, making, vec![view], None, None);
    }

    fn moment(&mut self, to: Id, of: Id, deviation: Option<(f32, Variance)>) {
        self.moments(of);
        self.push(to, Work::Moment { of, deviation });
    }

    fn norm(&mut self, id: Id, reads: &[Id], op: &InstanceNorm) {
        let of = reads[0];
        let view = self.bare(of);
        // Every place four times has the same moments, but a doubled map is not there to be summed.
        let view = match view.doubled {
            true => self.plain(of),
            false => view,
        };
        self.moments(of);
        let given = match op.affine {
            Affine::Given => Some([reads[1], reads[2]]),
            Affine::Plain | Affine::Fixed(_) => None,
        };
        let op = op.clone();
        self.push(id, Work::Norm { of, op, given });
        let scales = Scales::Made(id);
        self.views[id] = Some(View { scales, ..view });
    }

    /// Several values number by number, or channel after channel.
    fn together(&mut self, id: Id, reads: &[Id], making: Making) {
        let mut views = Vec::new();
        let mut vector = None;
        for &read in reads {
            match self.kinds[read] {
                Kind::Map(_) => {
                    let view = self.single(read);
                    views.push(view);
                }
                Kind::Vector(_) => vector = Some(read),
            }
        }
        let (activation, to) = self.followed(id);
        self.map(to, making, views, vector, activation);
    }
}
