//! What Prometheus answers to an instant query (`/api/v1/query`), as values or an error.

use hyper::StatusCode;
use plan::MetricAnswer;
use serde::Deserialize;

/// A query that has more series than this is no gate, but a mistake.
const MOST_VALUES: usize = 1_000;
/// How much of an answer is quoted.
const MOST_QUOTED: usize = 200;

#[derive(Deserialize)]
struct Body {
    status: String,
    #[serde(default)]
    error: String,
    /// What went wrong and did not keep it from answering: with Thanos, that a store did not.
    #[serde(default, deserialize_with = "list")]
    warnings: Vec<String>,
    /// With VictoriaMetrics, that a storage node did not answer.
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
    data: Option<Data>,
}

fn list<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What Prometheus 2 has among its warnings and Prometheus 3 apart: that a query may be meant otherwise.
const INFO: &str = "PromQL info:";

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Scalar(Sample),
    Vector(Vec<Series>),
    Matrix(serde::de::IgnoredAny),
    String(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Series {
    value: Option<Sample>,
}

/// The time in seconds, and the value as text: `NaN` and `+Inf` are no numbers of JSON.
#[derive(Deserialize)]
struct Sample(#[expect(dead_code, reason = "when it was measured decides nothing")] f64, String);

impl Sample {
    fn number(&self) -> Option<f64> {
        match &*self.1 {
            "+Inf" => Some(f64::INFINITY),
            "-Inf" => Some(f64::NEG_INFINITY),
            text => text.parse().ok(),
        }
    }
}

/// What an answer means.
pub(crate) fn read(status: StatusCode, body: &[u8]) -> MetricAnswer {
    let error = |what: String| MetricAnswer::Error(what);
    let Ok(body_read) = serde_json::from_slice::<Body>(body) else {
        return error(format!("HTTP {}, and no answer of Prometheus: {}", status.as_u16(), quote(body)));
    };
    let Body { status: said, error: why, warnings, is_partial, data } = body_read;
    if !status.is_success() || said != "success" {
        return error(format!("HTTP {}: {}", status.as_u16(), quote(why.as_bytes())));
    }
    // What is missing of it may be the very figure that would have failed.
    if let Some(warning) = warnings.iter().find(|warning| !warning.starts_with(INFO)) {
        return error(format!(
            "it answers with a warning, and so perhaps in part: {}",
            quote(warning.as_bytes())
        ));
    }
    if is_partial {
        return error("it answers in part (isPartial): a storage node did not answer".to_owned());
    }
    let samples = match data {
        Some(Data::Scalar(sample)) => vec![Some(sample)],
        Some(Data::Vector(series)) => series.into_iter().map(|one| one.value).collect(),
        Some(Data::Matrix(_) | Data::String(_)) => {
            return error("the query gives a range or a text, and not values at this time".to_owned());
        }
        None => return error("an answer without data".to_owned()),
    };
    if samples.len() > MOST_VALUES {
        return error(format!(
            "{} values, and at most {MOST_VALUES} are looked at: aggregate them",
            samples.len()
        ));
    }
    let values = samples.into_iter().map(|sample| sample.and_then(|sample| sample.number()));
    values.collect::<Option<Vec<f64>>>().map_or_else(
        || error("a value that cannot be read, as that of a native histogram".to_owned()),
        MetricAnswer::Values,
    )
}

/// The beginning of a text in one line, without what a terminal would obey.
fn quote(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(MOST_QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(body: &str) -> MetricAnswer {
        read(StatusCode::OK, body.as_bytes())
    }

    fn data(data: &str) -> MetricAnswer {
        ok(&format!(r#"{{"status":"success","data":{data}}}"#))
    }

    fn why(answer: MetricAnswer) -> String {
        match answer {
            MetricAnswer::Error(why) => why,
            MetricAnswer::Values(values) => panic!("{values:?}"),
        }
    }

    #[test]
    fn the_values_of_all_series_are_read() {
        let vector = r#"{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1.5,"0.25"]},{"metric":{},"value":[1.5,"+Inf"]}]}"#;
        assert_eq!(data(vector), MetricAnswer::Values(vec![0.25, f64::INFINITY]));
        assert_eq!(data(r#"{"resultType":"scalar","result":[1,"-7"]}"#), MetricAnswer::Values(vec![-7.0]));
        assert_eq!(data(r#"{"resultType":"vector","result":[]}"#), MetricAnswer::Values(Vec::new()));
        let MetricAnswer::Values(values) = data(r#"{"resultType":"scalar","result":[1,"NaN"]}"#) else {
            panic!()
        };
        assert!(values[0].is_nan());
    }

    #[test]
    fn an_answer_in_part_is_none() {
        let with = |more: &str| {
            ok(&format!(r#"{{"status":"success",{more},"data":{{"resultType":"scalar","result":[1,"0"]}}}}"#))
        };
        for whole in [
            r#""warnings":[]"#,
            r#""warnings":null"#,
            r#""isPartial":false"#,
            r#""infos":["PromQL info: metric might not be a counter"]"#,
            r#""warnings":["PromQL info: metric might not be a counter"]"#,
        ] {
            assert_eq!(with(whole), MetricAnswer::Values(vec![0.0]), "{whole}");
        }
        let thanos = r#""warnings":["PromQL info: x","receive series from Addr: 10.0.0.7:10901: rpc error"]"#;
        assert!(why(with(thanos)).ends_with("in part: receive series from Addr: 10.0.0.7:10901: rpc error"));
        assert!(why(with(r#""isPartial":true"#)).contains("isPartial"));
    }

    #[test]
    fn anything_else_is_an_error_that_says_what_it_was() {
        assert!(why(data(r#"{"resultType":"matrix","result":[]}"#)).contains("a range"));
        assert!(
            why(data(r#"{"resultType":"vector","result":[{"histogram":[1,{}]}]}"#)).contains("histogram")
        );
        assert!(why(data(r#"{"resultType":"scalar","result":[1,"x"]}"#)).contains("cannot be read"));
        let many = vec![r#"{"value":[1,"0"]}"#; 1_001].join(",");
        assert!(
            why(data(&format!(r#"{{"resultType":"vector","result":[{many}]}}"#))).contains("1001 values")
        );
        let bad = r#"{"status":"error","errorType":"bad_data","error":"parse error:\n at char 3"}"#;
        assert_eq!(why(read(StatusCode::BAD_REQUEST, bad.as_bytes())), "HTTP 400: parse error: at char 3");
        assert_eq!(
            why(read(StatusCode::BAD_GATEWAY, b"<h1>\x1b[31mno</h1>")),
            "HTTP 502, and no answer of Prometheus: <h1>[31mno</h1>"
        );
        assert!(why(ok(r#"{"status":"success"}"#)).contains("without data"));
    }
}
