//# trace
struct Params { n: u32, groups: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let g = group(at, groups);
    var sum = 0.0;
    for (var j = 0u; j < 16u; j++) {
        let i = g * 4096u + j * 256u + lane;
        if (i < p.n) {
            sum = sum + get_x(i * (p.n + 1u));
        }
    }
    let total = reduce(lane, sum);
    if (lane == 0u && g < p.groups) {
        set_partials(g, total);
    }
}

//# times_vector
// `y = alpha·A·x + beta·y`, one row each workgroup.
struct Params { rows: u32, columns: u32, down: u32, right: u32, alpha: f32, beta: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group(at, groups);
    var sum = 0.0;
    if (row < p.rows) {
        for (var k = lane; k < p.columns; k = k + 256u) {
            sum = sum + get_a(row * p.down + k * p.right) * get_x(k);
        }
    }
    let total = reduce(lane, sum);
    if (lane == 0u && row < p.rows) {
        var value = p.alpha * total;
        if (p.beta != 0.0) {
            value = value + p.beta * get_y(row);
        }
        set_y(row, value);
    }
}

//# head_second
// `S = Q + (Hμ)·bᵀ + b·(Hμ)ᵀ + b·bᵀ`, and the mean.
struct Params { n: u32, c: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place >= p.n) {
        return;
    }
    let i = place / p.c;
    let j = place % p.c;
    let b = get_bias(i) * get_bias(j);
    let mixed = get_linear(i) * get_bias(j) + get_bias(i) * get_linear(j);
    set_out(place, get_out(place) + (mixed + b));
    if (j == 0u) {
        set_mean(i, get_linear(i) + get_bias(i));
    }
}
