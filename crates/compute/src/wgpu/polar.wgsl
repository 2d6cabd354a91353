//# choose
// Where iteration starts, and the coefficients of its steps: see `Plan` in polar.rs.
struct Params { steps: u32 }

@compute @workgroup_size(1)
fn main() {
    // The norm of A² bounds the fourth power of the greatest singular value, and closely.
    let greatest = sqrt(sqrt(sqrt(get_controls(SQUARED)))) * ROOM;
    // sqrt of a product of norms, each from its square.
    let least = 1.0 / (sqrt(sqrt(get_controls(NORM_M))) * sqrt(sqrt(get_controls(NORM_N))));
    var first = 0u;
    for (var k = 0u; k < p.steps; k++) {
        if (STEPS[k].low / STEPS[k].high <= least / greatest) {
            first = k;
        }
    }
    for (var k = 0u; k < p.steps; k++) {
        let step = STEPS[k];
        let scale = select(1.0 / ROOM, step.high / greatest, k == first);
        let cube = scale * scale * scale;
        let place = FIRST_STEP + k * 8u;
        set_controls(place, select(0.0, 1.0, k > first));
        set_controls(place + 1u, select(0.0, 1.0, k >= first));
        set_controls(place + 2u, step.a * scale);
        set_controls(place + 3u, step.b * cube);
        set_controls(place + 4u, step.c * cube * scale * scale);
    }
}

//# symmetric_norm
// Partial sums of the squares of a symmetric matrix of which the lower half is there.
struct Params { n: u32, groups: u32, c: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let g = group(at, groups);
    var sum = 0.0;
    for (var j = 0u; j < 16u; j++) {
        let i = g * 4096u + j * 256u + lane;
        if (i < p.n && i % p.c <= i / p.c) {
            let value = get_x(i);
            sum = sum + value * value * select(2.0, 1.0, i % p.c == i / p.c);
        }
    }
    let total = reduce(lane, sum);
    if (lane == 0u && g < p.groups) {
        set_partials(g, total);
    }
}

//# polynomial
// `a + b·A + c·A²`, where of `A²` the lower half is there.
struct Params { n: u32, c: u32, place: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place >= p.n || get_controls(p.place + 1u) != 1.0) {
        return;
    }
    let i = place / p.c;
    let j = place % p.c;
    var value = get_controls(p.place + 3u) * get_linear(place);
    value = value + get_controls(p.place + 4u) * get_square(max(i, j) * p.c + min(i, j));
    if (i == j) {
        value = value + get_controls(p.place + 2u);
    }
    set_out(place, value);
}

//# step_done
struct Params { n: u32, place: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place < p.n && get_controls(p.place + 1u) == 1.0) {
        set_out(place, get_x(place));
    }
}
