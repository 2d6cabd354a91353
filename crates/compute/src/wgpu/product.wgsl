//# product
// `C = alpha·A·B + beta·C`, row-major. FLIP_A, FLIP_B: the operand is given transposed.
// WANT: 0 all; 1 what lies on or below the diagonal, in tiles.
// GATE: skip unless the number at `gate` is 1.
struct Params {
    m: u32, n: u32, k: u32, tiles_m: u32, tiles: u32, slice: u32, splits: u32,
    alpha: f32, beta: f32, gate: u32,
}

fn place_a(m: u32) -> u32 { return m; }
fn place_b(n: u32) -> u32 { return n; }

fn load_a(m: u32, k: u32, end: u32, z: u32) -> vec4f {
    var four = vec4f();
    for (var i = 0u; i < 4u; i++) {
        if (m + i < p.m && k < end) {
            if (FLIP_A == 1u) {
                four[i] = get_a(k * p.m + m + i);
            } else {
                four[i] = get_a((m + i) * p.k + k);
            }
        }
    }
    return four;
}

fn load_b(n: u32, k: u32, end: u32, z: u32) -> vec4f {
    var four = vec4f();
    for (var i = 0u; i < 4u; i++) {
        if (n + i < p.n && k < end) {
            if (FLIP_B == 1u) {
                four[i] = get_b((n + i) * p.k + k);
            } else {
                four[i] = get_b(k * p.n + n + i);
            }
        }
    }
    return four;
}

fn unwanted(m: u32, n: u32, z: u32) -> bool {
    if (GATE == 1u && get_gates(p.gate) != 1.0) {
        return true;
    }
    return WANT == 1u && m < n;
}

fn finish(m: u32, n: u32, z: u32, rows: array<vec4f, 8>) {
    var values = rows;
    for (var r = 0u; r < 8u; r++) {
        for (var i = 0u; i < 4u; i++) {
            if (m + r < p.m && n + i < p.n) {
                let at = (m + r) * p.n + n + i;
                var value = p.alpha * values[r][i];
                if (p.beta != 0.0) {
                    value = value + p.beta * get_c(at);
                }
                set_c(at, value);
            }
        }
    }
}
