//! Pathnames of a recording in the directory of a run.

use super::tree::Path;

/// Text that is not expanded: `${` is itself.
pub(super) fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// The components of a pathname.
pub(super) fn components(pathname: &str) -> impl Iterator<Item = &str> {
    pathname
        .split('/')
        .filter(|it| !it.is_empty() && *it != ".")
}

/// Where a pathname leads, below the directory that the session started in; `None` where it leads
/// out of it.
pub(super) fn resolve(home: &[String], cwd: &Path, pathname: &str) -> Option<Path> {
    let mut path = match pathname.starts_with('/') {
        true => Path::new(),
        false => cwd.clone(),
    };
    for name in below_home(home, pathname) {
        match name.as_str() {
            ".." => {
                path.pop()?;
            }
            _ => path.push(name),
        }
    }
    Some(path)
}

/// The pathname that leads to the same place in the directory of the run.
pub(super) fn written(home: &[String], cwd: &Path, pathname: &str) -> String {
    match resolve(home, cwd, pathname) {
        None => "${dir}".to_owned(),
        Some(_) if !pathname.starts_with('/') => escaped(pathname),
        Some(path) if path.is_empty() => "${dir}".to_owned(),
        Some(path) => format!("${{dir}}/{}", escaped(&path.join("/"))),
    }
}

/// The components after those of the home directory. An absolute pathname elsewhere is taken as it
/// is: it keeps its place among others like it.
fn below_home(home: &[String], pathname: &str) -> Vec<String> {
    let names: Vec<String> = components(pathname).map(str::to_owned).collect();
    match pathname.starts_with('/') && names.starts_with(home) {
        true => names[home.len()..].to_vec(),
        false => names,
    }
}
