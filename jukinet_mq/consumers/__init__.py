"""Deliveries to kept, handled and receipted envelopes: one pipeline for every tier."""
