//! Which sockets have something: each wakes the loop with its own number, so that a driver with ten thousand sockets looks
//! only at those that have.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Wake, Waker},
};

/// The numbers of sockets to look at, each once, and the task to wake.
#[derive(Debug, Default)]
pub(crate) struct Ready(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    numbers: VecDeque<usize>,
    /// By number: whether it is among `numbers`.
    queued: Vec<bool>,
    /// Whether the loop has put something there itself, which wakes nobody.
    again: bool,
    task: Option<Waker>,
}

impl Ready {
    /// Wakes this task from now on.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut queue = self.lock();
        match &mut queue.task {
            Some(task) => task.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// The waker for the socket of this number.
    pub(crate) fn waker(self: &Arc<Self>, number: usize) -> Waker {
        Arc::new(Numbered { number, ready: Arc::clone(self) }).into()
    }

    pub(crate) fn push(&self, number: usize) {
        let mut queue = self.lock();
        if queue.queued.len() <= number {
            queue.queued.resize(number + 1, false);
        }
        if !std::mem::replace(&mut queue.queued[number], true) {
            queue.numbers.push_back(number);
        }
    }

    /// The loop itself wants to look at this number once more, before it waits for anybody to wake it.
    pub(crate) fn again(&self, number: usize) {
        self.push(number);
        self.lock().again = true;
    }

    /// Whether it wanted that since the last time it was asked. What wakers have put there does not count: they wake the
    /// task, and some do so at once to make it pause.
    pub(crate) fn take_again(&self) -> bool {
        std::mem::take(&mut self.lock().again)
    }

    pub(crate) fn pop(&self) -> Option<usize> {
        let mut queue = self.lock();
        let number = queue.numbers.pop_front()?;
        queue.queued[number] = false;
        Some(number)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().numbers.len()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Numbered {
    number: usize,
    ready: Arc<Ready>,
}

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.push(self.number);
        let task = self.ready.lock().task.clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_waits_once_and_wakes_the_task() {
        struct Count(Mutex<u32>);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                *self.0.lock().unwrap() += 1;
            }
        }
        let (ready, count) = (Arc::new(Ready::default()), Arc::new(Count(Mutex::new(0))));
        let (third, first) = (ready.waker(3), ready.waker(1));
        third.wake_by_ref(); // nobody to wake yet, and not forgotten
        ready.register(&Arc::clone(&count).into());
        third.wake_by_ref();
        first.wake();
        assert_eq!((ready.len(), *count.0.lock().unwrap()), (2, 2));
        assert_eq!([ready.pop(), ready.pop(), ready.pop()], [Some(3), Some(1), None]);
        third.wake();
        assert_eq!((ready.pop(), ready.take_again()), (Some(3), false));
        ready.again(3);
        assert_eq!([ready.take_again(), ready.take_again()], [true, false]);
        assert_eq!((ready.pop(), *count.0.lock().unwrap()), (Some(3), 3), "nobody is woken");
    }
}
