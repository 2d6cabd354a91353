//# mean_parts
// Sums over parts of each channel, under weights if WEIGHTED is 1.
struct Params { groups: u32, area: u32, parts: u32, w: u32, first: u32, width: u32, plane: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let g = group(at, groups);
    let start = g % p.parts * 16384u;
    let end = min(p.area, start + 16384u);
    var sum = 0.0;
    if (g < p.groups) {
        for (var i = start + lane; i < end; i = i + 256u) {
            let pixel = p.first + i / p.width * p.w + i % p.width;
            var value = get_x(g / p.parts * p.plane + pixel);
            if (WEIGHTED == 1u) {
                value = value * get_weights(pixel);
            }
            sum = sum + value;
        }
    }
    let total = reduce(lane, sum);
    if (lane == 0u && g < p.groups) {
        set_out(g, total);
    }
}

//# mean
struct Params { n: u32, parts: u32, area: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i >= p.n) {
        return;
    }
    var sum = 0.0;
    for (var part = 0u; part < p.parts; part++) {
        sum = sum + get_x(i * p.parts + part);
    }
    set_out(i, sum / p.area);
}

//# second_parts
// `F·Fᵀ` over parts of the pixels, tiles on and below the diagonal, under weights if WEIGHTED is 1.
struct Params {
    m: u32, n: u32, k: u32, tiles_m: u32, tiles: u32, slice: u32, splits: u32,
    // Of the map, and the window in which pixels count.
    w: u32, first: u32, width: u32, plane: u32,
}

fn place_a(m: u32) -> u32 { return m; }
fn place_b(n: u32) -> u32 { return n; }

fn load_a(m: u32, k: u32, end: u32, z: u32) -> vec4f {
    if (k >= end) {
        return vec4f();
    }
    let pixel = p.first + k / p.width * p.w + k % p.width;
    var four = vec4f();
    for (var i = 0u; i < 4u; i++) {
        if (m + i < p.m) {
            four[i] = get_x((m + i) * p.plane + pixel);
        }
    }
    return four;
}

fn load_b(n: u32, k: u32, end: u32, z: u32) -> vec4f {
    var four = load_a(n, k, end, z);
    if (WEIGHTED == 1u && k < end) {
        four = four * get_weights(p.first + k / p.width * p.w + k % p.width);
    }
    return four;
}

fn unwanted(m: u32, n: u32, z: u32) -> bool {
    return m < n;
}

fn finish(m: u32, n: u32, z: u32, rows: array<vec4f, 8>) {
    var values = rows;
    for (var r = 0u; r < 8u; r++) {
        for (var i = 0u; i < 4u; i++) {
            if (m + r < p.m && n + i < p.n) {
                set_out((z * p.m + m + r) * p.n + n + i, values[r][i]);
            }
        }
    }
}

//# second
struct Params { n: u32, c: u32, parts: u32, area: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place >= p.n) {
        return;
    }
    let i = max(place / p.c, place % p.c);
    let j = min(place / p.c, place % p.c);
    var sum = 0.0;
    for (var part = 0u; part < p.parts; part++) {
        sum = sum + get_x((part * p.c + i) * p.c + j);
    }
    set_out(place, sum / p.area);
}

//# gradient_matrix
// `(dS + dSᵀ)/n`.
struct Params { n: u32, c: u32, area: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place >= p.n) {
        return;
    }
    let i = place / p.c;
    let j = place % p.c;
    set_out(place, (get_x(i * p.c + j) + get_x(j * p.c + i)) / p.area);
}

//# mix
// `out = A·x + k·bias`, a linear function of every pixel's channels; `A` is given transposed, unless AS_IT_IS is 1.
// IN_PLACE: `x` is `out`. ADD: 1 onto what is there, 2 onto `more`. Pixels outside the window have zero.
struct Params {
    m: u32, n: u32, k: u32, tiles_m: u32, tiles: u32, slice: u32, splits: u32,
    bias: f32, w: u32, top: u32, left: u32, bottom: u32, right: u32,
}

fn place_a(m: u32) -> u32 { return m; }
fn place_b(n: u32) -> u32 { return n; }

fn load_a(m: u32, k: u32, end: u32, z: u32) -> vec4f {
    if (k >= end) {
        return vec4f();
    }
    var four = vec4f();
    for (var i = 0u; i < 4u; i++) {
        if (m + i < p.m) {
            if (AS_IT_IS == 1u) {
                four[i] = get_matrix((m + i) * p.k + k);
            } else {
                four[i] = get_matrix(k * p.m + m + i);
            }
        }
    }
    return four;
}

fn load_b(n: u32, k: u32, end: u32, z: u32) -> vec4f {
    if (k >= end) {
        return vec4f();
    }
    var four = vec4f();
    for (var i = 0u; i < 4u; i++) {
        if (n + i < p.n) {
            if (IN_PLACE == 1u) {
                four[i] = get_out(k * p.n + n + i);
            } else {
                four[i] = get_x(k * p.n + n + i);
            }
        }
    }
    return four;
}

fn unwanted(m: u32, n: u32, z: u32) -> bool {
    return false;
}

fn finish(m: u32, n: u32, z: u32, rows: array<vec4f, 8>) {
    var values = rows;
    for (var r = 0u; r < 8u; r++) {
        for (var i = 0u; i < 4u; i++) {
            if (m + r < p.m && n + i < p.n) {
                let at = (m + r) * p.n + n + i;
                var value = values[r][i] + p.bias * get_bias(m + r);
                let y = (n + i) / p.w;
                let x = (n + i) % p.w;
                if (y < p.top || x < p.left || y >= p.bottom || x >= p.right) {
                    value = 0.0;
                }
                if (ADD == 1u) {
                    value = value + get_out(at);
                }
                if (ADD == 2u) {
                    value = value + get_more(at);
                }
                set_out(at, value);
            }
        }
    }
}
