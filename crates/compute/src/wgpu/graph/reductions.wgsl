//# chunk_moments
// Mean, and sum of squared distances from it, of every chunk of 4096 places of every channel. The chunk is read twice, so that
// nothing large cancels.
struct Params { groups: u32, chunks: u32, places: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let g = group(at, groups);
    if (g >= p.groups) {
        return;
    }
    let skipped = g % p.chunks * 4096u;
    let count = min(p.places - skipped, 4096u);
    let start = g / p.chunks * p.places + skipped;
    var sum = 0.0;
    for (var j = lane; j < count; j += 256u) {
        sum = sum + get_x(start + j);
    }
    let mean = reduce(lane, sum) / f32(count);
    // Everybody has it before it is written over.
    workgroupBarrier();
    var squares = 0.0;
    for (var j = lane; j < count; j += 256u) {
        let distance = get_x(start + j) - mean;
        squares = squares + distance * distance;
    }
    let total = reduce(lane, squares);
    if (lane == 0u) {
        set_moments(2u * g, mean);
        set_moments(2u * g + 1u, total);
    }
}

//# channel_moments
// A channel's from those of its chunks (Chan, Golub and LeVeque 1979): squares around the common mean are those around the
// chunk's and the distance of the means, once for each place.
// WANT: 0 mean, 1 deviation, 2 mean, scale / deviation and shift. AFFINE: whether scale and shift are given.
struct Params { channels: u32, chunks: u32, places: u32, divisor: f32, epsilon: f32, activation: u32, u: f32, v: f32 }

fn places_of(chunk: u32) -> f32 {
    return f32(min(p.places - chunk * 4096u, 4096u));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let channel = group(at, groups);
    if (channel >= p.channels) {
        return;
    }
    let first = channel * p.chunks;
    var sum = 0.0;
    for (var j = lane; j < p.chunks; j += 256u) {
        sum = sum + places_of(j) * get_moments(2u * (first + j));
    }
    let mean = reduce(lane, sum) / f32(p.places);
    workgroupBarrier();
    var squares = 0.0;
    for (var j = lane; j < p.chunks; j += 256u) {
        let distance = get_moments(2u * (first + j)) - mean;
        squares = squares + get_moments(2u * (first + j) + 1u) + places_of(j) * distance * distance;
    }
    let total = reduce(lane, squares);
    if (lane != 0u) {
        return;
    }
    let deviation = sqrt(total / p.divisor + p.epsilon);
    if (WANT == 0u) {
        set_out(channel, activated(mean));
    }
    if (WANT == 1u) {
        set_out(channel, activated(deviation));
    }
    if (WANT == 2u) {
        set_out(3u * channel, mean);
        if (AFFINE == 1u) {
            set_out(3u * channel + 1u, get_scale(channel) / deviation);
            set_out(3u * channel + 2u, get_shift(channel));
        } else {
            set_out(3u * channel + 1u, 1.0 / deviation);
            set_out(3u * channel + 2u, 0.0);
        }
    }
}

//# graph_linear
// A row of a matrix times a vector, and a number.
struct Params { rows: u32, columns: u32, activation: u32, u: f32, v: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group(at, groups);
    if (row >= p.rows) {
        return;
    }
    var sum = 0.0;
    for (var j = lane; j < p.columns; j += 256u) {
        sum = sum + get_weight(row * p.columns + j) * get_x(j);
    }
    let total = reduce(lane, sum);
    if (lane == 0u) {
        set_out(row, activated(total + get_bias(row)));
    }
}
