//# paste
// A rectangle of rows of `x` into one of `y`; nothing of `y` is read if `b` is 0.
struct Params { n: u32, width: u32, height: u32, start: u32, row: u32, plane: u32, to: u32, to_row: u32, to_plane: u32, b: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i >= p.n) {
        return;
    }
    let column = i % p.width;
    let row = i / p.width % p.height;
    let plane = i / p.width / p.height;
    let place = plane * p.to_plane + p.to + row * p.to_row + column;
    var value = get_x(plane * p.plane + p.start + row * p.row + column);
    if (p.b != 0.0) {
        value = value + p.b * get_y(place);
    }
    set_y(place, value);
}

//# scale_places
// Every channel of a map, multiplied place by place.
struct Params { n: u32, places: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i < p.n) {
        set_x(i, get_x(i) * get_factors(i % p.places));
    }
}
