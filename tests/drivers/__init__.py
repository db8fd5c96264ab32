"""Enqueueing on connections of the real libraries."""
