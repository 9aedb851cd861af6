//! How each method is decided: the one place that says it (rules.md 1.4).

use super::policy::Item;
use crate::mcp::{Era, Message, Method, Shape};

/// How one message of a client is decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum How<'m> {
    /// By the rules: each of these must be allowed. [`Item::Method`] is what names nothing; some of that the protocol needs.
    Ask(Vec<(Method, Item<'m>)>),
    /// Not by the rules: only servers send it.
    OnlyServers,
    /// Not by the rules: nobody can say what it would do.
    Unknown,
}

/// How `message` is decided. Notifications are judged like requests (BY-J-12).
pub(super) fn how<'m>(message: &'m Message<'_>, era: Era) -> How<'m> {
    let key = message.key.as_deref().unwrap_or_default();
    let ask = |item| How::Ask(vec![(message.method, item)]);
    match message.method {
        Method::ToolsCall => ask(Item::Tool(key)),
        Method::PromptsGet => ask(Item::Prompt(key)),
        Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => ask(Item::Resource(key)),
        // Completions are values of the thing: who may not have it may not guess it (MCP-L-07).
        Method::CompletionComplete if !message.key_is_uri => ask(Item::Prompt(key)),
        Method::CompletionComplete if key.bytes().any(|byte| matches!(byte, b'{' | b'}')) => ask(Item::Template(key)),
        Method::CompletionComplete => ask(Item::Resource(key)),
        Method::TasksCancel | Method::TasksGet | Method::TasksResult | Method::TasksUpdate => ask(Item::Task(key)),
        Method::SubscriptionsListen => subscriptions(message),
        Method::Initialize
        | Method::LoggingSetLevel
        | Method::Ping
        | Method::PromptsList
        | Method::ResourcesList
        | Method::ResourcesTemplatesList
        | Method::ServerDiscover
        | Method::TasksList
        | Method::ToolsList => ask(Item::Method),
        Method::NotifyCancelled | Method::NotifyInitialized | Method::NotifyProgress | Method::NotifyRootsChanged
            if message.shape == Shape::Notification =>
        {
            ask(Item::Method)
        }
        // The answer to a request of the server: only in the legacy era (MCP-G-04, MCP-T-02).
        Method::None if era == Era::Legacy => ask(Item::Method),
        Method::Unknown => How::Unknown,
        Method::ElicitationCreate
        | Method::None
        | Method::NotifyCancelled
        | Method::NotifyElicitationComplete
        | Method::NotifyInitialized
        | Method::NotifyMessage
        | Method::NotifyProgress
        | Method::NotifyPromptsChanged
        | Method::NotifyResourceUpdated
        | Method::NotifyResourcesChanged
        | Method::NotifyRootsChanged
        | Method::NotifySubscribed
        | Method::NotifyTask
        | Method::NotifyTaskStatus
        | Method::NotifyToolsChanged
        | Method::RootsList
        | Method::SamplingCreateMessage => How::OnlyServers,
    }
}

/// The method, every URI, and every task as if it were fetched: news of it bring its result (MCP-K-02).
fn subscriptions<'m>(message: &'m Message<'_>) -> How<'m> {
    let resources = message.subscriptions.iter().map(|uri| (message.method, Item::Resource(uri)));
    let tasks = message.subscribed_tasks.iter().map(|id| (Method::TasksGet, Item::Task(id)));
    How::Ask([(message.method, Item::Method)].into_iter().chain(resources).chain(tasks).collect())
}
