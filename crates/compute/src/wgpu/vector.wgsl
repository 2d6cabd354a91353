//# axpby
struct Params { n: u32, a: f32, b: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i < p.n) {
        set_y(i, p.a * get_x(i) + p.b * get_y(i));
    }
}

//# dot
struct Params { n: u32, groups: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let g = group(at, groups);
    var sum = 0.0;
    for (var j = 0u; j < 16u; j++) {
        let i = g * 4096u + j * 256u + lane;
        if (i < p.n) {
            sum = sum + get_x(i) * get_y(i);
        }
    }
    let total = reduce(lane, sum);
    if (lane == 0u && g < p.groups) {
        set_partials(g, total);
    }
}

//# sum_abs
struct Params { n: u32, groups: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let g = group(at, groups);
    var sum = 0.0;
    for (var j = 0u; j < 16u; j++) {
        let i = g * 4096u + j * 256u + lane;
        if (i < p.n) {
            sum = sum + abs(get_x(i));
        }
    }
    let total = reduce(lane, sum);
    if (lane == 0u && g < p.groups) {
        set_partials(g, total);
    }
}

//# max_abs
// Bits of positive numbers are in their order, and those of what is no number above all: it wins.
struct Params { n: u32, groups: u32 }

var<workgroup> greatest: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let g = group(at, groups);
    var most = 0u;
    for (var j = 0u; j < 16u; j++) {
        let i = g * 4096u + j * 256u + lane;
        if (i < p.n) {
            most = max(most, bitcast<u32>(get_x(i)) & 0x7fffffffu);
        }
    }
    greatest[lane] = most;
    for (var half = 128u; half > 0u; half = half >> 1u) {
        workgroupBarrier();
        if (lane < half) {
            greatest[lane] = max(greatest[lane], greatest[lane + half]);
        }
    }
    workgroupBarrier();
    if (lane == 0u && g < p.groups) {
        set_partials(g, bitcast<f32>(greatest[0]));
    }
}

//# clamped
struct Params { n: u32, low: f32, high: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i < p.n) {
        set_x(i, min(max(get_x(i), p.low), p.high));
    }
}

//# squared_error
struct Params { n: u32, groups: u32, k: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let g = group(at, groups);
    var sum = 0.0;
    for (var j = 0u; j < 16u; j++) {
        let i = g * 4096u + j * 256u + lane;
        if (i < p.n) {
            let difference = get_x(i) - get_t(i);
            sum = sum + difference * difference;
            set_gradient(i, p.k * difference);
        }
    }
    let total = reduce(lane, sum);
    if (lane == 0u && g < p.groups) {
        set_partials(g, total);
    }
}

//# scale_over
struct Params { n: u32, k: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    let divisor = get_divisor(0u);
    var factor = 0.0;
    if (divisor != 0.0) {
        factor = p.k / divisor;
    }
    if (i < p.n) {
        set_x(i, get_x(i) * factor);
    }
}

//# adam
struct Params {
    n: u32,
    rate: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    correction1: f32,
    correction2: f32,
    decay: f32,
    clamps: u32,
    low: f32,
    high: f32,
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i >= p.n) {
        return;
    }
    let g = get_gradient(i);
    let first = p.beta1 * get_first(i) + (1.0 - p.beta1) * g;
    let second = p.beta2 * get_second(i) + (1.0 - p.beta2) * g * g;
    set_first(i, first);
    set_second(i, second);
    var x = get_image(i) - p.rate * (first / p.correction1) / (sqrt(second / p.correction2) + p.epsilon);
    if (p.clamps == 1u) {
        x = min(max(x, p.low), p.high);
    }
    set_image(i, x);
    set_average(i, p.decay * get_average(i) + (1.0 - p.decay) * x);
}
