# needs: here-documents
# Several in one step, and one that another program reads.
FROM alpine:3.21
RUN cat <<one >/one && cat <<-two >/two
first
one
	second
	two
RUN <<'END' sh -e
echo $HOME >/whose
END
