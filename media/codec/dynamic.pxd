"""Libraries opened at run time, by their functions' names."""

cdef extern from "<dlfcn.h>" nogil:
    enum:
        RTLD_NOW
        RTLD_LOCAL
    void *dlopen(const char *path, int mode)
    void *dlsym(void *library, const char *name)
    int dlclose(void *library)


cdef inline void *first_library(list files):
    """The first of the files that the loader takes, NULL when it takes none. It stays open as long as the process."""
    cdef void *library
    cdef bytes path
    for name in files:
        path = name.encode()
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL)
        if library != NULL:
            return library
    return NULL


cdef inline bint find_functions(void *library, list names, void **functions):
    """False when one is not there."""
    cdef int i
    cdef bytes symbol
    for i, name in enumerate(names):
        symbol = name.encode()
        functions[i] = dlsym(library, symbol)
        if functions[i] == NULL:
            return False
    return True
