//! What was measured, as OTLP has it: the same names, labels and values as at `/metrics`, since it is made from that text.
//!
//! Owns the translation. Counters become sums, and histograms keep their buckets; everything counts from one moment on.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum,
};

use super::text;

/// The time that points are of, in nanoseconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Period {
    pub(super) since: u64,
    pub(super) now: u64,
}

/// A line of the text that has a value.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: &'a str,
}

/// The metrics of a text in Prometheus' format.
pub(super) fn of(exposed: &str, period: Period) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    let mut description = String::new();
    let mut open = HistogramDataPoint::default();
    for line in exposed.lines() {
        if let Some((_, help)) = line.strip_prefix("# HELP ").and_then(|line| line.split_once(' ')) {
            description = unescaped(help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            let (name, description) = (name.to_owned(), std::mem::take(&mut description));
            metrics.push(Metric { name, description, data: data(kind), ..Metric::default() });
        } else if let (Some(sample), Some(metric)) = (sample(line), metrics.last_mut()) {
            add(metric, sample, period, &mut open);
        }
    }
    metrics
}

fn data(kind: &str) -> Option<Data> {
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    match kind {
        "counter" => Some(Data::Sum(Sum { aggregation_temporality, is_monotonic: true, ..Sum::default() })),
        "gauge" => Some(Data::Gauge(Gauge::default())),
        "histogram" => Some(Data::Histogram(Histogram { aggregation_temporality, ..Histogram::default() })),
        _ => None,
    }
}

/// Adds a sample to its metric. Those of a histogram stand together: the buckets, the sum, the count.
fn add(metric: &mut Metric, sample: Sample<'_>, Period { since, now }: Period, open: &mut HistogramDataPoint) {
    let number = |attributes, start, value| NumberDataPoint {
        attributes,
        start_time_unix_nano: start,
        time_unix_nano: now,
        value: Some(value),
        ..NumberDataPoint::default()
    };
    match &mut metric.data {
        Some(Data::Sum(sum)) => {
            let Ok(value) = sample.value.parse() else { return };
            sum.data_points.push(number(attributes(&sample), since, Value::AsInt(value)));
        }
        // What is not known is left out.
        Some(Data::Gauge(gauge)) => {
            let Some(value) = sample.value.parse().ok().filter(|value: &f64| !value.is_nan()) else { return };
            gauge.data_points.push(number(attributes(&sample), 0, Value::AsDouble(value)));
        }
        Some(Data::Histogram(histogram)) => match sample.name.strip_prefix(&metric.name) {
            Some("_bucket") => {
                let bound = sample.labels.iter().find_map(|(name, value)| (*name == "le").then_some(value));
                let bound = bound.and_then(|bound| bound.parse().ok()).unwrap_or(f64::INFINITY);
                let up_to: u64 = sample.value.parse().unwrap_or_default();
                open.explicit_bounds.extend(Some(bound).filter(|bound| bound.is_finite()));
                open.bucket_counts.push(up_to - open.bucket_counts.iter().sum::<u64>().min(up_to));
            }
            Some("_sum") => open.sum = sample.value.parse().ok(),
            Some("_count") => {
                open.count = sample.value.parse().unwrap_or_default();
                (open.attributes, open.start_time_unix_nano, open.time_unix_nano) = (attributes(&sample), since, now);
                histogram.data_points.push(std::mem::take(open));
            }
            _ => {}
        },
        _ => {}
    }
}

fn attributes(sample: &Sample<'_>) -> Vec<KeyValue> {
    sample.labels.iter().map(|(name, value)| text(name, value)).collect()
}

/// Reads `NAME VALUE` or `NAME{LABEL="…",…} VALUE`.
fn sample(line: &str) -> Option<Sample<'_>> {
    let (head, value) = line.rsplit_once(' ')?;
    let Some((name, labels)) = head.split_once('{') else {
        return Some(Sample { name: head, labels: Vec::new(), value });
    };
    let mut rest = labels.strip_suffix('}')?;
    let mut labels = Vec::new();
    while let Some((label, quoted)) = rest.split_once("=\"") {
        let end = end_of_quotes(quoted)?;
        labels.push((label, unescaped(&quoted[..end])));
        rest = quoted[end + 1..].trim_start_matches(',');
    }
    Some(Sample { name, labels, value })
}

/// Where the quotes end that a text begins within.
fn end_of_quotes(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

/// What stands for a text in which `\\`, `\"` and `\n` are escapes.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match (character, character == '\\') {
            (_, true) => plain.extend(rest.next().map(|escaped| if escaped == 'n' { '\n' } else { escaped })),
            (character, false) => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use opentelemetry_proto::tonic::common::v1::any_value;

    use super::*;

    const PERIOD: Period = Period { since: 7, now: 9 };

    fn labels(attributes: &[KeyValue]) -> Vec<(String, String)> {
        let text = |value: &KeyValue| match value.value.clone().and_then(|value| value.value) {
            Some(any_value::Value::StringValue(text)) => text,
            other => panic!("{other:?}"),
        };
        attributes.iter().map(|label| (label.key.clone(), text(label))).collect()
    }

    #[test]
    fn what_is_sent_is_what_was_measured() {
        let recorder = PrometheusBuilder::new().set_buckets(&[0.5, 2.0]).unwrap().build_recorder();
        let strange = "a \"quoted\" {brace} back\\slash,\nand=\"more\"";
        metrics::with_local_recorder(&recorder, || {
            metrics::describe_counter!("made_total", "Two lines,\nand a back\\slash.");
            metrics::counter!("made_total", "of" => strange, "and" => "").increment(3);
            metrics::counter!("made_total", "of" => "it", "and" => "").increment(1 << 60);
            metrics::gauge!("level").set(-0.25);
            metrics::gauge!("unknown").set(f64::NAN);
            for value in [0.1, 0.5, 1.0, 7.5, 8.0] {
                metrics::histogram!("took_seconds", "by" => "a").record(value);
            }
            metrics::histogram!("took_seconds", "by" => "b").record(1.5);
        });
        let mut metrics = of(&recorder.handle().render(), PERIOD);
        metrics.sort_by(|one, other| one.name.cmp(&other.name));
        let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names, ["level", "made_total", "took_seconds", "unknown"]);
        assert_eq!(metrics[1].description, "Two lines,\nand a back\\slash.");

        let mut points = metrics.into_iter().map(|metric| metric.data.unwrap());
        let Some(Data::Gauge(level)) = points.next() else { panic!("the level is a gauge") };
        assert_eq!(level.data_points[0].value, Some(Value::AsDouble(-0.25)));
        let Some(Data::Sum(mut made)) = points.next() else { panic!("what was made is a sum") };
        assert!(made.is_monotonic && made.aggregation_temporality() == AggregationTemporality::Cumulative);
        made.data_points.sort_by_key(|point| labels(&point.attributes));
        let values: Vec<_> = made.data_points.iter().map(|point| (labels(&point.attributes), point.value)).collect();
        let labelled = |of: &str| vec![("of".to_owned(), of.to_owned()), ("and".to_owned(), String::new())];
        let expected = [(labelled(strange), Some(Value::AsInt(3))), (labelled("it"), Some(Value::AsInt(1 << 60)))];
        assert_eq!(values, expected);
        assert_eq!((made.data_points[0].start_time_unix_nano, made.data_points[0].time_unix_nano), (7, 9));

        let Some(Data::Histogram(mut took)) = points.next() else { panic!("what it took is a histogram") };
        assert_eq!(took.aggregation_temporality(), AggregationTemporality::Cumulative);
        took.data_points.sort_by_key(|point| labels(&point.attributes));
        let [a, b] = &took.data_points[..] else { panic!("{took:?}") };
        assert_eq!((&a.explicit_bounds[..], &a.bucket_counts[..]), (&[0.5, 2.0][..], &[2, 1, 2][..]));
        assert_eq!((a.count, a.sum, labels(&a.attributes)), (5, Some(17.1), vec![("by".to_owned(), "a".to_owned())]));
        assert_eq!((&b.bucket_counts[..], b.count, b.sum), (&[0, 1, 0][..], 1, Some(1.5)));
        assert_eq!((a.start_time_unix_nano, a.time_unix_nano), (7, 9));
        let Some(Data::Gauge(unknown)) = points.next() else { panic!("what is not known is a gauge") };
        assert_eq!(unknown.data_points, []);
    }
}
