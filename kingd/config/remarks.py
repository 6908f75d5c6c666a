"""What is allowed and yet worth a word, for who checks a configuration."""

from kingd.config.keys import Config


def remarks(config: Config) -> list[str]:
    """In sentences."""
    if config.quorum.voters and config.name not in config.quorum.voters:
        return [
            f"this host is called {config.name}, which is not in quorum.voters ({', '.join(config.quorum.voters)}): it follows "
            "and may lead, but does not vote"
        ]
    return []
