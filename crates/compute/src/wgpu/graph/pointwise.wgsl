//# number_by_number
// KIND: 0 x; 1 x·a + b by channel; 2 (x − mean)·factor + shift, which `a` has of each channel; 3 x + a; 4 x·a; 5 x + b·(a − x).
// IN_PLACE 1: x is what is written. Of `a` in 3 and 4, each number serves for `step` of x.
struct Params { n: u32, places: u32, step: u32, to: u32, activation: u32, u: f32, v: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i >= p.n) {
        return;
    }
    var value = 0.0;
    if (IN_PLACE == 1u) {
        value = get_out(i);
    } else {
        value = get_x(i);
    }
    if (KIND == 1u) {
        let channel = i / p.places;
        value = value * get_a(channel) + get_b(channel);
    }
    if (KIND == 2u) {
        let channel = i / p.places * 3u;
        value = (value - get_a(channel)) * get_a(channel + 1u) + get_a(channel + 2u);
    }
    if (KIND == 3u) {
        value = value + get_a(i / p.step);
    }
    if (KIND == 4u) {
        value = value * get_a(i / p.step);
    }
    if (KIND == 5u) {
        value = value + get_b(0u) * (get_a(i) - value);
    }
    set_out(p.to + i, activated(value));
}
