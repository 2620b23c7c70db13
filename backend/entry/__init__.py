"""Order entry at speed: sessions, frames of orders and single orders over a binary protocol."""
