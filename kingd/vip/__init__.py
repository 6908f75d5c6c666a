"""Floating addresses that follow leadership: kingd-vip.service, a process of its own. docs/vip.md."""
