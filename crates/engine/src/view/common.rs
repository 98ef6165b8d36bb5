//! What many objects have alike, kept once.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// A part of a view that other views have too, as the Pods of one Deployment have its labels. Who reads objects makes
/// equal parts one; a change makes a copy first, so nobody else sees it.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Common<T>(Arc<T>);

impl<T> Common<T> {
    /// It is the very same as another, not only equal.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many have it.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl<T> Clone for Common<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Common<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Common<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> From<T> for Common<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: FromIterator<I>, I> FromIterator<I> for Common<T> {
    fn from_iter<S: IntoIterator<Item = I>>(items: S) -> Self {
        T::from_iter(items).into()
    }
}

impl<'a, T> IntoIterator for &'a Common<T>
where
    &'a T: IntoIterator,
{
    type Item = <&'a T as IntoIterator>::Item;
    type IntoIter = <&'a T as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (&*self.0).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_by_nobody_else() {
        let one: Common<Vec<u8>> = vec![1].into();
        let mut other = one.clone();
        assert!(one.is_same(&other) && one.holders() == 2);
        other.push(2);
        assert_eq!((&**one, &**other), (&[1][..], &[1, 2][..]));
        assert!(!one.is_same(&other) && one.holders() == 1);
    }
}
