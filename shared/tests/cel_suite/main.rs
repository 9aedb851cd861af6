//! Conditions (`policy::cel`): by example, against another evaluator, and with facts that are not known yet.

mod conditions;
mod generate;
mod oracle;
mod unknown;
mod words;
