//! Which secret, and which part of it, does a `valueFrom` name?
//!
//! ECS: `Secret.valueFrom` is the ARN of a Secrets Manager secret, with or without its last three
//! parts (JSON key, version stage, version id), or the ARN or name of an SSM parameter.

/// Where a secret is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Secrets Manager.
    SecretsManager,
    /// The Parameter Store of Systems Manager.
    ParameterStore,
}

/// A secret, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReference {
    /// Where it is kept.
    pub store: Store,
    /// Its name: of a secret with the six characters that AWS appends, where they are written; of a
    /// parameter without the first `/`.
    pub name: String,
    /// The key in the secret's JSON; none means the whole secret.
    pub json_key: Option<String>,
    /// The version stage, where it is another than AWSCURRENT.
    pub stage: Option<String>,
    /// The version id.
    pub id: Option<String>,
}

/// The stage that is read where none is named.
const CURRENT: &str = "AWSCURRENT";

impl SecretReference {
    /// Reads a `valueFrom`.
    ///
    /// ```
    /// use linkspan::ecs::secret::SecretReference;
    /// let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf:password::";
    /// let password = SecretReference::read(arn).unwrap();
    /// assert_eq!((password.plain_name(), password.json_key.as_deref()), ("db", Some("password")));
    /// assert_eq!(SecretReference::read("/prod/db/host").unwrap().name, "prod/db/host");
    /// ```
    ///
    /// # Errors
    /// Which rule the text breaks, and the form that keeps it.
    pub fn read(text: &str) -> Result<Self, String> {
        let whole = |store, name: &str| Self {
            store,
            name: name.to_owned(),
            json_key: None,
            stage: None,
            id: None,
        };
        if !text.starts_with("arn:") {
            return Ok(whole(Store::ParameterStore, text.trim_start_matches('/')));
        }
        let parts: Vec<&str> = text.split(':').collect();
        let part = |at: usize| parts.get(at).copied().unwrap_or_default();
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        match (part(2), part(5)) {
            ("ssm", parameter) if parameter.starts_with("parameter/") => {
                let name = text.split_once(":parameter/").map_or("", |(_, name)| name);
                Ok(whole(Store::ParameterStore, name.trim_start_matches('/')))
            }
            ("secretsmanager", "secret") => {
                // Colons that nothing follows are often too few, and name no part.
                let names_a_part = parts.iter().skip(7).any(|part| !part.is_empty());
                let counted = parts.len() == 10 || (parts.len() < 10 && !names_a_part);
                if part(6).is_empty() || !counted {
                    return Err("must be `arn:…:secret:NAME` for a whole secret, or \
                        `arn:…:secret:NAME:json-key:version-stage:version-id` for a part of it, with \
                        all three colons, as in `…:password::`"
                        .to_owned());
                }
                let (stage, id) = (some(part(8)), some(part(9)));
                if let (Some(stage), Some(id)) = (&stage, &id) {
                    return Err(format!(
                        "names version stage {stage} and version id {id}; only one of the two can \
                         be given"
                    ));
                }
                Ok(Self {
                    json_key: some(part(7)),
                    stage: stage.filter(|stage| stage != CURRENT),
                    id,
                    ..whole(Store::SecretsManager, part(6))
                })
            }
            _ => Err("is an ARN of something else; that of a secret has `:secretsmanager:` and \
                `:secret:`, that of a parameter `:ssm:` and `:parameter/`"
                .to_owned()),
        }
    }

    /// Reads a `credentialsParameter`: as a `valueFrom`, but a bare name is that of a secret.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn credentials(text: &str) -> Result<Self, String> {
        let mut reference = Self::read(text)?;
        if !text.starts_with("arn:") {
            reference.store = Store::SecretsManager;
            text.clone_into(&mut reference.name);
        }
        Ok(reference)
    }

    /// The name as a person gave it: without the hyphen and six characters that AWS appends to a
    /// secret's name in its ARN. Six small letters may be a word, as in `jwt-secret`, and stay.
    pub fn plain_name(&self) -> &str {
        match (self.store, self.name.rsplit_once('-')) {
            (Store::SecretsManager, Some((plain, suffix)))
                if suffix.len() == 6
                    && suffix.chars().all(|c| c.is_ascii_alphanumeric())
                    && !suffix.chars().all(|c| c.is_ascii_lowercase()) =>
            {
                plain
            }
            _ => &self.name,
        }
    }

    /// The same secret as a whole.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self { json_key: None, stage: None, id: None, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";

    fn parts(text: &str) -> (Store, String, [Option<String>; 3]) {
        let reference = SecretReference::read(text).unwrap();
        let SecretReference { store, name, json_key, stage, id } = reference;
        (store, name, [json_key, stage, id])
    }

    #[test]
    fn example_20_of_secrets_manager_arns() {
        let read = |rest: &str| parts(&format!("{SECRET}{rest}"));
        let some = |text: &str| Some(text.to_owned());
        let db = |parts| (Store::SecretsManager, "db-AbCdEf".to_owned(), parts);
        assert_eq!(read(""), db([None, None, None]));
        assert_eq!(read("::"), db([None, None, None]), "names no part");
        assert_eq!(read(":password::"), db([some("password"), None, None]));
        assert_eq!(
            read(":password:AWSPREVIOUS:"),
            db([some("password"), some("AWSPREVIOUS"), None])
        );
        assert_eq!(read(":password:AWSCURRENT:"), db([some("password"), None, None]));
        assert_eq!(read(":::1b2c"), db([None, None, some("1b2c")]));
        assert_eq!(read(":password::1b2c"), db([some("password"), None, some("1b2c")]));
        for wrong in [":password:AWSCURRENT:1b2c", ":password", ":password:", "::::"] {
            assert!(SecretReference::read(&format!("{SECRET}{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_parameter_is_named_by_its_arn_or_bare() {
        let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db/host";
        for text in [arn, "/prod/db/host", "prod/db/host"] {
            let expected = (Store::ParameterStore, "prod/db/host".to_owned(), [None, None, None]);
            assert_eq!(parts(text), expected);
        }
        assert!(SecretReference::read("arn:aws:s3:::bucket/key").is_err());
        let bare = SecretReference::credentials("team/registry").unwrap();
        assert_eq!((bare.store, bare.name.as_str()), (Store::SecretsManager, "team/registry"));
    }

    #[test]
    fn what_aws_appends_is_not_part_of_the_name() {
        let plain = |name: &str| {
            let arn = format!("arn:aws:secretsmanager:r:a:secret:{name}");
            SecretReference::read(&arn).unwrap().plain_name().to_owned()
        };
        assert_eq!(plain("db-AbCdEf"), "db");
        assert_eq!(plain("amplify/vars-i8ouku"), "amplify/vars");
        assert_eq!(plain("jwt-secret"), "jwt-secret");
        assert_eq!(plain("db-password"), "db-password");
    }
}
