mod bounds;
mod order;
mod rfc5928;
mod rfc8489;
mod time;
mod zone;
