//! Secrets of the proxy's environment: the configuration names a variable, never the secret itself.

use super::{Problems, record};
use crate::secret::Secret;

record! {
    /// Where a secret is. Never the secret itself.
    pub struct RawVariable {
        /// The variable of the proxy's environment that holds it. In Envoy the plugin sees those that `vm_config.environment_variables` names.
        env: String = "env";
    }
}

/// A variable of the proxy's environment, and its value once the plugin was equipped.
#[derive(Clone, Debug)]
pub struct Variable {
    name: String,
    /// Where the configuration names it, from where [`Variable::equip`] is called.
    path: String,
    value: Option<Secret<String>>,
}

/// Whether the environment could have a variable of this name.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

impl RawVariable {
    /// What it means; only good if no problem was added. `path` is that of problems with its value.
    pub fn compile(&self, path: impl Into<String>, problems: &mut Problems) -> Variable {
        if !is_variable(&self.env) {
            problems.field("env", |p| p.add(format!("`{}` is not the name of a variable", self.env)));
        }
        Variable::new(&self.env, path)
    }
}

impl Variable {
    /// The variable of this name, without its value.
    fn new(name: &str, path: impl Into<String>) -> Self {
        Self { name: name.to_owned(), path: path.into(), value: None }
    }

    /// Takes its value; one that is empty or not there is a problem.
    pub fn equip(&mut self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>, problems: &mut Problems) {
        self.value = secret(&self.name).filter(|value| !value.reveal().is_empty());
        if self.value.is_none() {
            let text = "is not in the environment of this proxy, or empty. In Envoy `vm_config.environment_variables` names it";
            problems.field(&self.path, |p| p.add(format!("`{}` {text}", self.name)));
        }
    }

    /// Its value, once the plugin was equipped.
    pub fn value(&self) -> Option<Secret<&str>> {
        Some(Secret::new(self.value.as_ref()?.reveal().as_str()))
    }

    /// Where the configuration names it.
    pub fn path(&self) -> &str {
        &self.path
    }
}
