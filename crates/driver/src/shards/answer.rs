//! The answer to a question that was put to a shard.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use super::NotTold;

/// The answer of a shard, when it has come to it: a future, or to be waited for by a thread that may.
#[derive(Debug)]
#[must_use = "the question is asked, and the answer thrown away"]
pub struct Answer<T>(Arc<Shared<T>>);

/// Who has to answer. Dropped, there is no answer.
pub(super) struct Promise<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    told: Condvar,
}

#[derive(Debug)]
enum State<T> {
    Open(Option<Waker>),
    Kept(T),
    /// There is no answer, or it was taken.
    Over,
}

pub(super) fn pair<T>() -> (Promise<T>, Answer<T>) {
    let shared = Arc::new(Shared { state: Mutex::new(State::Open(None)), told: Condvar::new() });
    (Promise(Arc::clone(&shared)), Answer(shared))
}

impl<T> Shared<T> {
    fn turn(&self, to: State<T>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Open(waker) = &mut *state else { return };
        let waker = waker.take();
        *state = to;
        drop(state);
        self.told.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn take(state: &mut State<T>) -> Option<Result<T, NotTold>> {
        match std::mem::replace(state, State::Over) {
            State::Kept(answer) => Some(Ok(answer)),
            State::Over => Some(Err(NotTold::Gone)),
            open @ State::Open(_) => {
                *state = open;
                None
            }
        }
    }
}

impl<T> Promise<T> {
    pub(super) fn keep(self, answer: T) {
        self.0.turn(State::Kept(answer));
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.0.turn(State::Over);
    }
}

impl<T> Answer<T> {
    /// Waits for it, in a thread that may block: not in one that a runtime or a shard runs in.
    ///
    /// # Errors
    /// When the shard ends without an answer.
    pub fn wait(self) -> Result<T, NotTold> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(answer) = Shared::take(&mut state) {
                return answer;
            }
            state = self.0.told.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, NotTold>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = Shared::take(&mut state) {
            return Poll::Ready(answer);
        }
        *state = State::Open(Some(cx.waker().clone()));
        Poll::Pending
    }
}
