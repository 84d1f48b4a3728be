# Lines that go on, with comments and blank lines among them.
FROM alpine:3.21
RUN echo one >/one && \
    # a comment between them
    echo two >/two && \

    echo three \
      >/three
COPY a \
     b \
     /files/
