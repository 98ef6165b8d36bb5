//! Why a request is not answered as it was meant, in the language of whoever asks.

use ask::{
    Text,
    read::{Failure, Plan},
    steer::{self, NotNow, Steer},
};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use model::Language;
use serde::Serialize;
use utoipa::ToSchema;

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// Nobody has logged in, or the API server knows the token no more.
    Unauthorized,
    /// The viewer may not; what the API server says of it.
    Forbidden(Text),
    /// There is no such thing, or the viewer may not know of it.
    NotFound,
    /// Another batch waits now than the one that was seen.
    Stale { offered: u64, given: u64 },
    /// It was changed meanwhile.
    Changed(Text),
    /// It cannot be done with the plan as it is.
    NotNow(NotNow),
    /// The request, or what is in it, makes no sense.
    Invalid(Text),
    /// It did not come from the board's own page.
    Foreign,
    /// There are too many at once.
    Busy,
    /// The store is not complete yet.
    Starting,
    /// The API server does not answer, or says something else.
    Away(Text),
}

/// Why, and how it is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) why: Why,
    pub(crate) language: Language,
}

/// An error as the page gets it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// One word.
    #[schema(example = "StaleConfirmation")]
    code: &'static str,
    /// What is wrong.
    message: String,
    /// What to do.
    suggestion: &'static str,
}

impl Why {
    pub(crate) fn of(failure: Failure) -> Self {
        match failure {
            Failure::Unauthorized(_) => Self::Unauthorized,
            Failure::Forbidden(why) => Self::Forbidden(why),
            Failure::Unknown(_) => Self::NotFound,
            Failure::Conflict(why) => Self::Changed(why),
            Failure::Refused(why) => Self::Invalid(why),
            Failure::Busy(why) | Failure::Away(why) => Self::Away(why),
        }
    }

    pub(crate) fn within(self, language: Language) -> Refusal {
        Refusal { why: self, language }
    }

    fn code(&self) -> (&'static str, StatusCode) {
        match self {
            Self::Unauthorized => ("Unauthorized", StatusCode::UNAUTHORIZED),
            Self::Forbidden(_) => ("Forbidden", StatusCode::FORBIDDEN),
            Self::Foreign => ("Foreign", StatusCode::FORBIDDEN),
            Self::NotFound => ("NotFound", StatusCode::NOT_FOUND),
            Self::Stale { .. } => ("StaleConfirmation", StatusCode::CONFLICT),
            Self::Changed(_) => ("Changed", StatusCode::CONFLICT),
            Self::NotNow(_) => ("NotNow", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Invalid(_) => ("Invalid", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Busy => ("Busy", StatusCode::TOO_MANY_REQUESTS),
            Self::Starting => ("Starting", StatusCode::SERVICE_UNAVAILABLE),
            Self::Away(_) => ("Away", StatusCode::BAD_GATEWAY),
        }
    }

    /// What is wrong, in Chinese.
    fn in_chinese(&self) -> (String, &'static str) {
        match self {
            Self::Unauthorized => ("尚未登录，或 API server 不再接受此 token。".into(), "请重新登录。"),
            Self::Forbidden(why) => (format!("没有权限：{why}"), "请向集群管理员申请权限。"),
            Self::Foreign => ("请求不是由本页面发出的。".into(), "请重新加载页面后再试。"),
            Self::NotFound => ("对象不存在，或你无权查看。".into(), "请检查命名空间和名称。"),
            Self::Stale { offered, given } => (
                format!("工单当前等待确认的编号是 {offered}，而不是 {given}。"),
                "请重新查看工单，再决定是否确认。",
            ),
            Self::Changed(why) => (format!("对象已被他人修改：{why}"), "请重新加载后再试。"),
            Self::NotNow(why) => (not_now_in_chinese(why), "请查看工单的当前状态。"),
            Self::Invalid(why) => (format!("内容无效：{why}"), "请修改后再试。"),
            Self::Busy => ("请求过多。".into(), "请稍后再试，或关闭多余的标签页。"),
            Self::Starting => ("看板正在读取集群数据。".into(), "请稍候，页面会自动重试。"),
            Self::Away(why) => (format!("API server 没有响应：{why}"), "请检查看板到 API server 的网络。"),
        }
    }

    /// What is wrong, in English.
    fn in_english(&self) -> (String, &'static str) {
        match self {
            Self::Unauthorized => {
                ("nobody is logged in, or the API server no longer accepts the token".into(), "log in again")
            }
            Self::Forbidden(why) => (why.to_string(), "ask whoever runs the cluster for the right"),
            Self::Foreign => {
                ("the request does not come from the board's own page".into(), "reload the page")
            }
            Self::NotFound => (
                "there is no such object, or you may not see it".into(),
                "look at the namespace and the name",
            ),
            Self::Stale { offered, given } => (
                format!("the plan offers number {offered} now, and not {given}"),
                "look at the plan again before you confirm",
            ),
            Self::Changed(why) => (format!("somebody else changed it: {why}"), "reload, and try again"),
            Self::NotNow(why) => (why.to_string(), "look at how the plan stands"),
            Self::Invalid(why) => (why.to_string(), "change it, and try again"),
            Self::Busy => {
                ("there are too many requests at once".into(), "wait a little, or close other tabs")
            }
            Self::Starting => {
                ("the board is reading the cluster".into(), "wait; the page tries again by itself")
            }
            Self::Away(why) => (
                format!("the API server does not answer: {why}"),
                "look at the network between the board and the API server",
            ),
        }
    }
}

/// What is said once something is done with a plan.
pub(crate) fn done(steer: Steer, plan: &Plan, language: Language) -> String {
    match (language, steer) {
        (Language::English, _) => steer.done(plan),
        (Language::Chinese, Steer::Confirm(_)) => format!("已确认：{}", plan.status.batch),
        (Language::Chinese, Steer::Pause) => "已暂停：不再放行新的基座".to_owned(),
        (Language::Chinese, Steer::Resume) => "已继续".to_owned(),
        (Language::Chinese, Steer::Retry) => format!("开始第 {} 次重试", steer::next_attempt(plan)),
        (Language::Chinese, Steer::Abort) => "已终止：已放行的基座保持不变，其余基座保留原有版本".to_owned(),
    }
}

/// What is said where it is so already.
pub(crate) fn already(steer: Steer, language: Language) -> &'static str {
    match (language, steer) {
        (Language::English, _) => steer.already(),
        (Language::Chinese, Steer::Confirm(_)) => "已经确认",
        (Language::Chinese, Steer::Pause) => "已经暂停",
        (Language::Chinese, Steer::Resume) => "没有暂停",
        (Language::Chinese, Steer::Retry) => "已经在重试",
        (Language::Chinese, Steer::Abort) => "已经终止",
    }
}

/// Why something cannot be done with a plan now.
pub(crate) fn not_now(why: &NotNow, language: Language) -> String {
    match language {
        Language::English => why.to_string(),
        Language::Chinese => not_now_in_chinese(why),
    }
}

fn not_now_in_chinese(why: &NotNow) -> String {
    match why {
        NotNow::NothingToConfirm(said) => format!("没有等待确认的批次：{said}"),
        NotNow::Stale { offered, given } => format!("当前等待确认的编号是 {offered}，而不是 {given}"),
        NotNow::NotFailed(said) => format!("工单没有失败：{said}"),
        NotNow::Over => "工单已经结束".to_owned(),
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (code, status) = self.why.code();
        let (message, suggestion) = match self.language {
            Language::English => self.why.in_english(),
            Language::Chinese => self.why.in_chinese(),
        };
        let mut response = (status, Json(ErrorBody { code, message, suggestion })).into_response();
        if matches!(self.why, Why::Busy | Why::Starting) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
