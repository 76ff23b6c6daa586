//! The inner product that the resampler and the detectors spend their time in.

/// Partial sums that are kept apart, so that the compiler may use vector instructions.
const LANES: usize = 8;

/// Sum of products of the two slices, to the end of the shorter one. RT safe.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let length = a.len().min(b.len());
    let (a_lanes, a_rest) = a[..length].as_chunks::<LANES>();
    let (b_lanes, b_rest) = b[..length].as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    rest + sums.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::dot;

    #[test]
    fn every_product_is_counted_once() {
        for length in [0, 1, 7, 8, 9, 24, 31] {
            let a: Vec<f32> = (0..length).map(|n| n as f32).collect();
            let b: Vec<f32> = (0..length).map(|n| (n + 1) as f32).collect();
            let expected: i32 = (0..length).map(|n| n * (n + 1)).sum();
            assert_eq!(dot(&a, &b), expected as f32);
            let longer = [&a[..], &[5.0; 11]].concat();
            assert_eq!((dot(&longer, &b), dot(&b, &longer)), (expected as f32, expected as f32));
        }
    }
}
