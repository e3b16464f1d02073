//! HTTPS on a socket.
