def checks(setting, until):
    return []
