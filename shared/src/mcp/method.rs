//! The methods of MCP and what each of them names (rules.md 1.4).

/// What a method names, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Key {
    /// `params.name`: a tool or prompt.
    Name,
    /// Nothing, or something that is listed in the params.
    Nothing,
    /// `params.ref.name` or `params.ref.uri`.
    Reference,
    /// `params.taskId`
    Task,
    /// `params.uri`: a resource.
    Uri,
}

macro_rules! methods {
    ($($name:ident = $text:literal, $key:ident;)+) => {
        /// A method. What is not in this list is [`Unknown`](Self::Unknown) and denied by default.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Method {
            $(#[doc = concat!("`", $text, "`")] $name,)+
            /// No method: a response.
            None,
            /// Any other; its text is in the message.
            Unknown,
        }

        impl Method {
            /// All that have a name.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The method of this name. Case counts (MCP-H-08).
            pub fn from_text(text: &str) -> Self {
                match text { $($text => Self::$name,)+ _ => Self::Unknown }
            }

            /// Its name, where it has one.
            pub fn text(self) -> Option<&'static str> {
                match self { $(Self::$name => Some($text),)+ Self::None | Self::Unknown => None }
            }

            /// What it names.
            pub fn key(self) -> Key {
                match self { $(Self::$name => Key::$key,)+ Self::None | Self::Unknown => Key::Nothing }
            }
        }
    };
}

methods! {
    CompletionComplete = "completion/complete", Reference;
    ElicitationCreate = "elicitation/create", Nothing;
    Initialize = "initialize", Nothing;
    LoggingSetLevel = "logging/setLevel", Nothing;
    NotifyCancelled = "notifications/cancelled", Nothing;
    NotifyElicitationComplete = "notifications/elicitation/complete", Nothing;
    NotifyInitialized = "notifications/initialized", Nothing;
    NotifyMessage = "notifications/message", Nothing;
    NotifyProgress = "notifications/progress", Nothing;
    NotifyPromptsChanged = "notifications/prompts/list_changed", Nothing;
    NotifyResourceUpdated = "notifications/resources/updated", Uri;
    NotifyResourcesChanged = "notifications/resources/list_changed", Nothing;
    NotifyRootsChanged = "notifications/roots/list_changed", Nothing;
    NotifySubscribed = "notifications/subscriptions/acknowledged", Nothing;
    NotifyTask = "notifications/tasks", Nothing;
    NotifyTaskStatus = "notifications/tasks/status", Nothing;
    NotifyToolsChanged = "notifications/tools/list_changed", Nothing;
    Ping = "ping", Nothing;
    PromptsGet = "prompts/get", Name;
    PromptsList = "prompts/list", Nothing;
    ResourcesList = "resources/list", Nothing;
    ResourcesRead = "resources/read", Uri;
    ResourcesSubscribe = "resources/subscribe", Uri;
    ResourcesTemplatesList = "resources/templates/list", Nothing;
    ResourcesUnsubscribe = "resources/unsubscribe", Uri;
    RootsList = "roots/list", Nothing;
    SamplingCreateMessage = "sampling/createMessage", Nothing;
    ServerDiscover = "server/discover", Nothing;
    SubscriptionsListen = "subscriptions/listen", Nothing;
    TasksCancel = "tasks/cancel", Task;
    TasksGet = "tasks/get", Task;
    TasksList = "tasks/list", Nothing;
    TasksResult = "tasks/result", Task;
    TasksUpdate = "tasks/update", Task;
    ToolsCall = "tools/call", Name;
    ToolsList = "tools/list", Nothing;
}

impl Method {
    /// Whether a modern request must carry `Mcp-Name` (rules.md 1.2, mirrored headers).
    pub fn needs_name_header(self) -> bool {
        matches!(
            self,
            Self::ToolsCall | Self::PromptsGet | Self::ResourcesRead | Self::TasksGet | Self::TasksUpdate | Self::TasksCancel
        )
    }
}
