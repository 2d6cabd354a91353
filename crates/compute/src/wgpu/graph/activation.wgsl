// What is done to a number before it is written, by `activation` of the parameters: 0 nothing, 1 max(x, 0), 2 min(max(x, 0), 6), 3 1 / (1 + e^-x),
// 4 u·tanh x + v, 5 min(max(x, u), v).
fn activated(x: f32) -> f32 {
    if (p.activation == 1u) {
        return max(x, 0.0);
    }
    if (p.activation == 2u) {
        return min(max(x, 0.0), 6.0);
    }
    // Of exponentials that cannot overflow: what happens then is the driver's.
    if (p.activation == 3u) {
        let t = exp(-abs(x));
        return select(t, 1.0, x >= 0.0) / (1.0 + t);
    }
    if (p.activation == 4u) {
        let t = exp(-2.0 * abs(x));
        return p.u * sign(x) * ((1.0 - t) / (1.0 + t)) + p.v;
    }
    if (p.activation == 5u) {
        return min(max(x, p.u), p.v);
    }
    return x;
}
