"""Where a command without a folder is found, for all that run one of the operator's: not by the PATH of whoever started us."""

COMMAND_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
