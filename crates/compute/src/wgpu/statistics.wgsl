//# covariance
struct Params { n: u32, c: u32, ridge: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place >= p.n) {
        return;
    }
    let i = place / p.c;
    let j = place % p.c;
    // The product of equal factors in either order: the result is symmetric.
    var value = get_second(place) - get_mean(i) * get_mean(j);
    if (i == j) {
        value = value + p.ridge;
    }
    set_out(place, value);
}

//# scaled
struct Params { n: u32, k: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i < p.n) {
        set_out(i, p.k * get_x(i));
    }
}

//# deviation
struct Params { c: u32, epsilon: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i < p.c) {
        let mean = get_mean(i);
        set_out(i, sqrt(max(get_second(i * (p.c + 1u)) - mean * mean + p.epsilon, 0.0)));
    }
}

//# deviation_backward
struct Params { n: u32, c: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place >= p.n) {
        return;
    }
    let i = place / p.c;
    var second = 0.0;
    if (i == place % p.c) {
        let deviation = get_deviation(i);
        var first = 0.0;
        if (deviation > 0.0) {
            first = -get_gradient(i) * get_mean(i) / deviation;
            second = get_gradient(i) / (2.0 * deviation);
        }
        set_first(i, first);
    }
    set_out(place, second);
}
