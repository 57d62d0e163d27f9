//! Many measurements of one figure.

/// The measurements, sorted; never empty.
#[derive(Debug)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Returns `None` if there are no measurements.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self(values))
    }

    pub fn min(&self) -> f64 {
        self.percentile(0)
    }

    pub fn max(&self) -> f64 {
        self.percentile(100)
    }

    pub fn p10(&self) -> f64 {
        self.percentile(10)
    }

    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    pub fn p95(&self) -> f64 {
        self.percentile(95)
    }

    pub fn p99(&self) -> f64 {
        self.percentile(99)
    }

    /// The smallest measurement that is greater than or equal to this percentage of them.
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0[rank.saturating_sub(1)]
    }
}

/// The median, or `None` if there are no values.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    Samples::new(values).map(|samples| samples.median())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let samples = Samples::new((1..=20).rev().map(f64::from)).unwrap();
        assert_eq!((samples.min(), samples.median(), samples.p95()), (1.0, 10.0, 19.0));
        let one = Samples::new([7.0]).unwrap();
        assert_eq!((one.min(), one.median(), one.p95()), (7.0, 7.0, 7.0));
        assert!(Samples::new([]).is_none());
    }
}
