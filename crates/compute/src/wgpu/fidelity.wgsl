//# halved
// `½·(M/|M| + N/|N|)`, from the squares of the norms.
struct Params { n: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i < p.n) {
        let of_m = 0.5 / sqrt(get_controls(NORM_M));
        let of_n = 0.5 / sqrt(get_controls(NORM_N));
        set_out(i, of_m * get_m(i) + of_n * get_n(i));
    }
}

//# conclude
// The gradient `¼·2^(ê−e)·(Z + Zᵀ)` and the value; zeros where one of the covariances is zero, and no numbers where one is
// none. `own` and `target` are the controls of both factors.
struct Params { n: u32, c: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place >= p.n) {
        return;
    }
    let there = get_own(4u) * get_target(4u);
    let i = place / p.c;
    let j = place % p.c;
    let sum = get_z(i * p.c + j) + get_z(j * p.c + i);
    let k = 0.25 * get_target(1u) * get_own(2u);
    set_gradient(place, select(there * (k * sum), 0.0, there == 0.0));
    if (place == 0u) {
        let value = get_controls(VALUE) * get_own(1u) * get_target(1u);
        set_value(0u, select(there * value, 0.0, there == 0.0));
    }
}
